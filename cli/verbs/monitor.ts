// `tickbus monitor`: serves the live monitor page.

import { InvalidArgumentError } from 'commander';
import { ownChannels } from '../channel-lookup.ts';
import type { Context } from '../context.ts';
import { list } from '../option-parsers.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { unlessAborted } from '../waiting.ts';

interface MonitorFlags {
  readonly host: string;
  readonly port: number;
  readonly allowedHost?: readonly string[];
}

export const define: DefineVerb = (command, bind) => {
  command
    .option('--host <address>', 'the address to listen on', '127.0.0.1')
    .option('-p, --port <n>', 'the port; 0 selects a free one', port, 8788)
    .option('--allowed-host <name>', 'additional host name that browsers may use', list)
    .addHelpText(
      'after',
      `\nPrints the address of the page.
MONITOR_TOKEN (16 characters or more) enables commands from the page.\n${examples(
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
  const { host, port: requestedPort, allowedHost: allowedHosts } = options;
  // Loaded on demand: the page and its server add libraries that no other verb needs.
  const { startMonitor } = await import('@tickbus/monitor');
  const running = await startMonitor({
    url: settings.url,
    certificates: settings.certificates,
    namespace: settings.namespace,
    host,
    port: requestedPort,
    allowedHosts,
    channels: ownChannels(),
    token: settings.variable('MONITOR_TOKEN').value,
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

function port(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 65_535) return value;
  throw new InvalidArgumentError('Use a port from 0 to 65535.');
}
