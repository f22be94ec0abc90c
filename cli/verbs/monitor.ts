// `tickbus monitor`: serves the live monitor page.

import { type MonitorConfig, readVariables } from '@tickbus/monitor/config';
import { InvalidArgumentError } from 'commander';
import { ownChannels } from '../channel-lookup.ts';
import type { CliSettings } from '../cli-settings.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';
import { list } from '../option-parsers.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { unlessAborted } from '../waiting.ts';

interface MonitorFlags {
  readonly host?: string;
  readonly port?: number;
  readonly allowedHost?: readonly string[];
}

export const define: DefineVerb = (command, bind) => {
  command
    .option('--host <address>', 'the address to listen on (default: MONITOR_HOST, or 127.0.0.1)')
    .option('-p, --port <n>', 'the port; 0 selects a free one (default: MONITOR_PORT, or 8788)', port)
    .option(
      '--allowed-host <name>',
      'additional host name that browsers may use (default: MONITOR_ALLOWED_HOSTS)',
      list,
    )
    .addHelpText(
      'after',
      `\nPrints the address of the page.
MONITOR_TOKEN (16 characters or more) enables commands from the page.
MONITOR_MAX_AGE_MS is the maximum age of a fresh price (default 5000).\n${examples(
        ['tickbus monitor', 'until Ctrl-C; only for this machine'],
        ['tickbus monitor --port 0', 'on a free port, until Ctrl-C'],
      )}`,
    )
    .action(bind(monitor));
};

async function monitor(
  { terminal, settings, logger, signal }: Context,
  options: MonitorFlags,
): Promise<void> {
  const config = monitorConfig(settings);
  // Loaded on demand: the page and its server add libraries that no other verb needs.
  const { startMonitor } = await import('@tickbus/monitor');
  const running = await startMonitor({
    url: settings.url,
    certificates: settings.certificates,
    namespace: settings.namespace,
    host: options.host ?? config.MONITOR_HOST,
    port: options.port ?? config.MONITOR_PORT,
    allowedHosts: options.allowedHost ?? config.MONITOR_ALLOWED_HOSTS,
    channels: ownChannels(),
    token: config.MONITOR_TOKEN,
    maxAgeMs: config.MONITOR_MAX_AGE_MS,
    logger,
  });
  try {
    terminal.line(running.url);
    terminal.note('Open the address in a browser. Ctrl-C stops the monitor.');
    await unlessAborted(new Promise<never>(() => {}), signal);
  } finally {
    await running.close();
  }
}

/** @throws UsageError that names each variable that cannot be used, never its value */
function monitorConfig({ variables }: CliSettings): MonitorConfig {
  const own = variables.filter(({ name }) => name.startsWith('MONITOR_'));
  try {
    return readVariables(Object.fromEntries(own.map(({ name, value }) => [name, value])));
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function port(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 65_535) return value;
  throw new InvalidArgumentError('Use a port from 0 to 65535.');
}
