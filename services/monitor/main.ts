// The monitor as a process: settings, startup, logging, graceful shutdown.

import { shutDownGracefully } from '@tickbus/graceful-shutdown';
import { loadOwnChannels } from '@tickbus/operator-kit/own-channels';
import { pino } from 'pino';
import { helpText, type MonitorConfig, readConfig } from './config.ts';
import { startMonitor } from './monitor-service.ts';

/** After this time the process exits even if shutdown has not finished. */
const STOP_DEADLINE_MS = 10_000;

try {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config === 'help') process.stdout.write(helpText());
  else await serve(config);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function serve(config: MonitorConfig): Promise<void> {
  const { LOG_LEVEL, MONITOR_HOST, MONITOR_PORT, MONITOR_ALLOWED_HOSTS, MONITOR_TOKEN, MONITOR_MAX_AGE_MS } =
    config;
  const { TICKBUS_CHANNELS: file } = config;
  const channels = file === undefined ? [] : await loadOwnChannels(file);
  const logger = pino({ name: 'monitor', level: LOG_LEVEL }, pino.destination({ fd: 2, sync: true }));
  const monitor = await startMonitor({
    host: MONITOR_HOST,
    port: MONITOR_PORT,
    allowedHosts: MONITOR_ALLOWED_HOSTS,
    token: MONITOR_TOKEN,
    maxAgeMs: MONITOR_MAX_AGE_MS,
    channels,
    logger,
  });
  shutDownGracefully({ deadlineMs: STOP_DEADLINE_MS, logger }, async ({ err, signal }) => {
    if (err) logger.fatal({ err }, 'Monitor failed; shutting down');
    await monitor.close();
    logger.info({ signal }, 'Monitor stopped');
  });
  process.stdout.write(`The monitor is on ${monitor.url}\n`);
}
