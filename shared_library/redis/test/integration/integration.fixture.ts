// For the integration tests: closers, plain clients, users, and retries while a link reconnects.

import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalRedis } from '@tickbus/local-redis';
import { errorOf, silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { afterEach } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisPublisher, type RedisPublisherOptions } from '../../publisher.ts';
import { pricePayload } from '../channels.fixture.ts';

/** Closers of one test file. After each test they run, newest first, and are removed. */
export function closeAfterEach(): (() => unknown)[] {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  return closing;
}

/** A client that does not use tickbus. It ignores lost connections. */
export const newPlainClient = (url: string) => createClient({ url }).on('error', () => {});

export type PlainClient = ReturnType<typeof newPlainClient>;

export async function connectPlainClient(url: string, closing: (() => unknown)[]): Promise<PlainClient> {
  const client = newPlainClient(url);
  await client.connect();
  closing.push(() => client.destroy());
  return client;
}

type RedisAddress = Pick<LocalRedis, 'url'>;

/** Runs commands on a separate connection. */
async function execute({ url }: RedisAddress, ...commands: string[][]): Promise<unknown[]> {
  const client = newPlainClient(url);
  await client.connect();
  try {
    const replies: unknown[] = [];
    for (const command of commands) replies.push(await client.sendCommand(command));
    return replies;
  } finally {
    client.destroy();
  }
}

/** Creates a user with the rules of `ACL SETUSER`. Returns the URL to log in with. */
export async function createUser(server: RedisAddress, name: string, ...rules: string[]): Promise<string> {
  await execute(server, ['ACL', 'SETUSER', name, 'reset', 'on', '>secret', ...rules]);
  return server.url.replace('//', `//${name}:secret@`);
}

/** Adds rules to a user. */
export async function changeUser(server: RedisAddress, name: string, ...rules: string[]): Promise<void> {
  await execute(server, ['ACL', 'SETUSER', name, ...rules]);
}

/** Drops the connection of every other client. */
export async function killClients(server: RedisAddress): Promise<void> {
  await execute(
    server,
    ...['normal', 'pubsub'].map((type) => ['CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes']),
  );
}

/** The lines of CLIENT LIST. */
export async function clientList(server: RedisAddress): Promise<string[]> {
  const [list] = await execute(server, ['CLIENT', 'LIST']);
  return String(list).split('\n');
}

/** Repeats the call until it succeeds, as while the publisher reconnects. Resolves with the result. */
export async function untilAccepted<T>(publish: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await publish();
    } catch {
      await sleep(10);
    }
  }
}

/** Resolves when the condition holds. Polls every 2 ms. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

/** The error of a first publish with these options. */
export async function firstPublishError(
  options: RedisPublisherOptions,
  closing: (() => unknown)[],
): Promise<TickbusError> {
  const publisher = new RedisPublisher({ logger: silentLogger, ...options } as RedisPublisherOptions);
  closing.push(() => publisher.close());
  return (await errorOf(publisher.publish(CHANNELS.PRICE_DATA, pricePayload()))) as TickbusError;
}
