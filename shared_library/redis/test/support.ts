// What several tests need.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel } from '../channel/channel.ts';
import { RedisConnection, RedisLease, RedisPublisher } from '../index.ts';
import type { Logger } from '../runtime/logger.ts';

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Keeps every line, as JSON, so that a test can look for what must or must not be in it. */
export class RecordingLogger implements Logger {
  readonly lines: { level: string; text: string; message: string }[] = [];

  debug(fields: object, message: string): void {
    this.#add('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.#add('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#add('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#add('error', fields, message);
  }

  #add(level: string, fields: object, message: string): void {
    const text = JSON.stringify(fields, (_, value) =>
      value instanceof Error
        ? { ...value, message: value.message, stack: value.stack, cause: value.cause }
        : value,
    );
    this.lines.push({ level, text, message });
  }
}

/** A publisher that holds the lease of a channel for a minute, without the wait of as long that a server without memory begins with. */
export async function holderOf(channel: Channel, url: string, options: { deadlineMs?: number } = {}) {
  await passLease(channel, url);
  const lease = new RedisLease({ channel, url, ttlMs: 60_000, logger: silentLogger });
  const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
  await lease.start();
  await gained;
  const publisher = new RedisPublisher({ url, lease, logger: silentLogger, ...options });
  return {
    lease,
    publisher,
    async [Symbol.asyncDispose]() {
      await publisher.close();
      await lease.close();
    },
  };
}

/** Takes the lease for a moment and releases it: from then on the server knows of it. */
export async function passLease(channel: Channel, url: string): Promise<void> {
  await using connection = new RedisConnection({ url, logger: silentLogger });
  const lease = connection.publishing.lease(channel);
  for (let attempt = await lease.acquire(20); ; attempt = await lease.acquire(20)) {
    if (attempt.state === 'held' && (await lease.release(attempt.token))) return;
    if (attempt.state !== 'held') await sleep(attempt.leftMs + 1);
  }
}
