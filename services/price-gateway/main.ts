// The price gateway as a process: settings, start, log, graceful end.

import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import { RedisPublisher } from 'tickbus/publisher';
import { type Config, helpText, readConfig } from './config.ts';
import { secretsOf } from './feeds/feed-kind.ts';
import { FEED_KINDS } from './feeds/registry.ts';
import { createGateway } from './gateway.ts';
import { recorderFor } from './recorder/settings.ts';

/** How long a stop may take before the process ends without it. */
const STOP_DEADLINE_MS = 10_000;

try {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config === 'help') process.stdout.write(helpText());
  else await serve(config);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function serve(config: Config): Promise<void> {
  const { SYMBOLS, LOG_LEVEL } = config;
  const logger = pino({ name: 'price-gateway', level: LOG_LEVEL }, pino.destination({ fd: 2, sync: true }));
  const publisher = new RedisPublisher({ sender: 'price-gateway', logger });
  const kind = FEED_KINDS.alpaca;
  const feed = await kind.create(config);
  const recorder = await recorderFor(config, { name: feed.name, secrets: secretsOf(kind, config), logger });
  const gateway = createGateway({
    feed: recorder?.record(feed) ?? feed,
    symbols: SYMBOLS,
    publisher,
    logger,
  });
  await gateway.start();
  // Only now: until here nothing is held that would need a graceful end.
  closeWithGrace({ delay: STOP_DEADLINE_MS, logger }, async ({ err, signal }) => {
    if (err) logger.fatal({ err }, 'The gateway fails and stops.');
    await gateway.stop();
    await recorder?.close();
    logger.info({ signal, ...gateway.stats, recorder: recorder?.stats }, 'The gateway has stopped.');
  });
  logger.info({ feed: feed.name, symbols: SYMBOLS }, 'The gateway has started.');
}
