// The bar builder as a process: settings, start, log, graceful shutdown.

import { linkFailure, shutDownGracefully } from '@tickbus/graceful-shutdown';
import { startStatusPages } from '@tickbus/status-pages';
import { pino } from 'pino';
import { RedisConnection } from 'tickbus/connection';
import { barChannel, tradeChannel, venueOf } from 'tickbus/constants';
import { BarService } from './bar-service.ts';
import { type BarsConfig, helpText, readConfig } from './config.ts';
import { Calendar } from './intervals/calendar.ts';
import { createMetrics } from './metrics.ts';

/** Maximum duration of the shutdown, milliseconds; after that the process exits at once. */
const STOP_DEADLINE_MS = 10_000;
const UNREQUESTED =
  'SYMBOLS is not set, so the bar builder requests no instrument: it builds bars of the trades that other ' +
  'subscribers request, or of all if the gateway has TRADES=all. Set SYMBOLS to request instruments.';

try {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config === 'help') process.stdout.write(helpText());
  else await serve(config);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function serve(config: BarsConfig): Promise<void> {
  const { CHANNEL: prices, HTTP_HOST: host, HTTP_ALLOWED_HOSTS: allowedHosts, HTTP_PORT: port } = config;
  const logger = pino(
    { name: 'bar-builder', level: config.LOG_LEVEL },
    pino.destination({ fd: 2, sync: true }),
  );
  const connection = new RedisConnection({ logger });
  const failure = linkFailure(connection);
  const venue = venueOf(prices);
  const [trades, bars] = [tradeChannel(venue), barChannel(venue)];
  const service = new BarService({
    connection,
    trades,
    bars,
    priceChannel: prices,
    intervals: config.BARS,
    calendar: new Calendar(config.BAR_TIME_ZONE, config.BAR_SESSION),
    graceMs: config.BAR_GRACE_MS,
    reviseMs: config.BAR_REVISE_FOR,
    symbols: config.SYMBOLS,
    leaseTtlMs: config.LEASE_TTL_MS,
    logger,
  });
  const metrics = createMetrics(() => service.stats);
  const readiness = () => service.readiness;
  const pages =
    port === 0 ? undefined : await startStatusPages({ host, allowedHosts, port, metrics, readiness });
  const stop = async () => {
    await service.stop();
    await pages?.close();
    await connection.close();
  };
  try {
    await service.start();
  } catch (error) {
    await stop();
    throw error;
  }
  // Called only after the start: a process that is still starting needs no graceful shutdown.
  shutDownGracefully({ deadlineMs: STOP_DEADLINE_MS, logger, failure }, async ({ err, signal }) => {
    if (err) logger.fatal({ err }, 'Fatal error; shutting down the bar builder.');
    await stop();
    logger.info({ signal, ...service.stats }, 'The bar builder has stopped.');
  });
  const lengths = config.BARS.map(({ name }) => name);
  const { namespace } = connection;
  logger.info(
    { reads: trades.name, publishes: bars.name, lengths, http: pages?.port, namespace },
    'The bar builder has started.',
  );
  if (config.SYMBOLS === undefined) logger.info(UNREQUESTED);
}
