// Connections that each test opens, and what it closes at its end.

import { afterEach } from 'vitest';
import type { Connection } from '../transport/port.ts';

/** Call it within `describe`. What is added to `closing` is called after each test, the last first. */
export function useConnections(connect: () => Promise<Connection>) {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  const open = async (): Promise<Connection> => {
    const connection = await connect();
    closing.push(() => connection.close());
    return connection;
  };
  return { open, closing };
}
