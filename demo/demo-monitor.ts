// The monitor of the demo, on its default port or else on a free port. If the monitor cannot start, the demo continues.

import { type Monitor, startMonitor } from '@tickbus/monitor';
import type { Logger } from 'tickbus';
import type { DemoTransport } from './demo-transport.ts';

export interface DemoMonitor {
  /** Address of the monitor, or the reason why it did not start. */
  readonly description: string;
  close(): Promise<void>;
}

export async function startDemoMonitor(transport: DemoTransport, logger: Logger): Promise<DemoMonitor> {
  try {
    const monitor = await startOnFreePort(transport, logger);
    return { description: monitor.url, close: () => monitor.close() };
  } catch (error) {
    return { description: error instanceof Error ? error.message : String(error), close: async () => {} };
  }
}

async function startOnFreePort({ url, connect }: DemoTransport, logger: Logger): Promise<Monitor> {
  const source = url === undefined ? { connection: connect(), redis: 'memory' } : { url };
  try {
    return await startMonitor({ ...source, logger });
  } catch (error) {
    if (!isPortInUse(error)) throw error;
    return await startMonitor({ ...source, port: 0, logger });
  }
}

function isPortInUse(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'EADDRINUSE';
}
