// The price gateway as a process: settings, start, log, graceful shutdown.

import { linkFailure, shutDownGracefully } from '@tickbus/graceful-shutdown';
import { type StatusPages, startStatusPages } from '@tickbus/status-pages';
import { pino } from 'pino';
import { RedisConnection } from 'tickbus/connection';
import { priceChannel, venueOf } from 'tickbus/constants';
import { BotStatusAdopter } from './bot-status-adopter.ts';
import { type GatewayConfig, helpText, readConfig } from './config.ts';
import { secretsOf } from './feeds/feed-kind.ts';
import { FEED_KINDS } from './feeds/registry.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { createMetrics } from './monitoring/metrics.ts';
import type { CaptureRecorder } from './recorder/capture-recorder.ts';
import { recorderFor } from './recorder/recorder-settings.ts';

/** Maximum duration of the shutdown, milliseconds; after that the process exits at once. */
const STOP_DEADLINE_MS = 10_000;

try {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config === 'help') process.stdout.write(helpText());
  else await serve(config);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function serve(config: GatewayConfig): Promise<void> {
  const logger = pino(
    { name: 'price-gateway', level: config.LOG_LEVEL },
    pino.destination({ fd: 2, sync: true }),
  );
  const connection = new RedisConnection({ logger });
  const secrets = secretsOf(FEED_KINDS[config.FEED], config.feedSettings);
  const recorder = await recorderFor(config, { name: recordingName(config), secrets, logger });
  const gateway = createGateway({ ...optionsFrom(config, recorder), connection, logger });
  const adopter = new BotStatusAdopter({ connection, logger });
  const failure = Promise.race([linkFailure(connection), gateway.failure]);
  let http: StatusPages | undefined;
  const stop = async () => {
    await gateway.stop();
    await adopter.close();
    await recorder?.close();
    await http?.close();
    await connection.close();
  };
  try {
    http = await serveHttp(config, gateway, recorder);
    await gateway.start();
    adopter.start();
  } catch (error) {
    await stop();
    throw error;
  }
  // Called only after the start: a process that is still starting needs no graceful shutdown.
  shutDownGracefully({ deadlineMs: STOP_DEADLINE_MS, logger, failure }, async ({ err, signal }) => {
    if (err) logger.fatal({ err }, 'Fatal error; shutting down the gateway.');
    await stop();
    logger.info({ signal, ...gateway.stats, recorder: recorder?.stats }, 'The gateway has stopped.');
  });
  const { namespace } = connection;
  logger.info(
    { feed: config.FEED, channel: config.CHANNEL, symbols: config.SYMBOLS, http: http?.port, namespace },
    'The gateway has started.',
  );
}

/** Gateways of several channels can record to one folder. */
function recordingName({ FEED, CHANNEL }: GatewayConfig): string {
  const venue = venueOf(CHANNEL);
  return venue === undefined ? FEED : `${FEED}-${venue}`;
}

async function serveHttp(
  { HTTP_HOST: host, HTTP_ALLOWED_HOSTS: allowedHosts, HTTP_PORT: port }: GatewayConfig,
  gateway: Gateway,
  recorder: CaptureRecorder | undefined,
) {
  if (port === 0) return undefined;
  const metrics = createMetrics(() => gateway.stats, recorder && (() => recorder.stats));
  return startStatusPages({ host, allowedHosts, port, metrics, readiness: () => gateway.readiness });
}

function optionsFrom(config: GatewayConfig, recorder: CaptureRecorder | undefined) {
  return {
    createFeed: async () => {
      const feed = await FEED_KINDS[config.FEED].create(config.feedSettings);
      return recorder?.record(feed) ?? feed;
    },
    channel: priceChannel(venueOf(config.CHANNEL)),
    symbols: config.SYMBOLS,
    ...(config.SYMBOL_LIMIT !== undefined && { symbolLimit: config.SYMBOL_LIMIT }),
    symbolGraceMs: config.SYMBOL_GRACE_MS,
    trades: config.TRADES,
    leaseTtlMs: config.LEASE_TTL_MS,
    ...(config.PARTITIONS !== undefined && { partitions: config.PARTITIONS }),
    ...(config.LEASE_REPLICAS !== undefined && { leaseReplicas: config.LEASE_REPLICAS }),
    brokerReleaseMs: config.BROKER_RELEASE_MS,
    connectLimit: config.CONNECT_LIMIT,
    connectWindowMs: config.CONNECT_WINDOW_MS,
    retryMs: config.RETRY_MS,
    maxRetryMs: config.MAX_RETRY_MS,
    silentAfterMs: config.SILENT_AFTER_MS,
    reconnectSilentMs: config.RECONNECT_SILENT_MS,
  };
}
