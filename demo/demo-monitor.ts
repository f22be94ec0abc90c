// The monitor of the demo: on its usual port, else on a free one; the demo goes on without it where it cannot be had.

import { type Monitor, startMonitor } from '@tickbus/monitor';
import type { Logger } from 'tickbus';
import type { DemoTransport } from './demo-transport.ts';

export interface DemoMonitor {
  /** Where it is, or why it is not there. */
  readonly description: string;
  close(): Promise<void>;
}

export async function startDemoMonitor(embedded: DemoTransport, logger: Logger): Promise<DemoMonitor> {
  try {
    const monitor = await startOnFreePort(embedded, logger);
    return { description: monitor.url, close: () => monitor.close() };
  } catch (error) {
    return { description: error instanceof Error ? error.message : String(error), close: async () => {} };
  }
}

async function startOnFreePort({ url, connect }: DemoTransport, logger: Logger): Promise<Monitor> {
  const where = url === undefined ? { connection: connect(), redis: 'memory' } : { url };
  try {
    return await startMonitor({ ...where, logger });
  } catch (error) {
    if (!isPortInUse(error)) throw error;
    return await startMonitor({ ...where, port: 0, logger });
  }
}

function isPortInUse(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'EADDRINUSE';
}
