// The simulated broker as a process: settings, start, log, graceful shutdown.

import { shutDownGracefully } from '@tickbus/graceful-shutdown';
import { pino } from 'pino';
import { startSimulatedBroker } from './broker.ts';
import { type BrokerConfig, helpText, readConfig } from './config.ts';
import { openCaptureSource } from './sources/capture-source.ts';
import { createGenerator } from './sources/generator.ts';
import type { PriceSource } from './sources/price-source.ts';

const logger = pino({ name: 'simulated-broker' });

try {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config === 'help') process.stdout.write(helpText());
  else await serve(config);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function serve(config: BrokerConfig): Promise<void> {
  const { host, port, key, secret, release: releaseMs, resend: resentTrades } = config;
  const source = await openSource(config);
  const broker = await startSimulatedBroker({
    host,
    port,
    key,
    secret,
    releaseMs,
    resentTrades,
    source,
    logger,
  });
  shutDownGracefully({ deadlineMs: 5_000, logger }, async ({ err, signal }) => {
    if (err) logger.fatal({ err }, 'Fatal error; shutting down the simulated broker.');
    else logger.info({ signal, ...broker.stats }, 'The simulated broker is shutting down.');
    await broker.close();
  });
  logger.info({ url: broker.url, symbols: broker.symbols }, 'The simulated broker is ready.');
}

async function openSource({
  capture,
  speed,
  symbols,
  rate,
  seed,
  incidents,
}: BrokerConfig): Promise<PriceSource> {
  if (capture !== undefined) return openCaptureSource({ path: capture, speed });
  logger.info({ symbols, rate, seed, incidents }, 'Generating prices.');
  return createGenerator({ symbols, rate, seed, incidents });
}
