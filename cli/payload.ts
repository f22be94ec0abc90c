// Payloads as they are typed, and their check before anything is sent.

import type { Channel } from 'tickbus';
import { RedisPublisher } from 'tickbus/publisher';
import { MemoryConnection } from 'tickbus/testing';
import { UsageError } from './exit.ts';

export type Payload = Readonly<Record<string, unknown>>;

/** @param what is parsed, to begin a sentence with. @throws UsageError */
export function parsePayload(text: string, what: string): Payload {
  let payload: unknown;
  try {
    payload = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${what} is not valid JSON: ${(error as Error).message}.`);
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    throw new UsageError(`${what} is JSON, but not an object such as {"symbol":"AAPL"}.`);
  return payload as Payload;
}

/** By publishing it in memory. @throws UsageError that names the field */
export async function checkPayload(channel: Channel, type: string, payload: Payload): Promise<void> {
  await using publisher = new RedisPublisher({ connection: new MemoryConnection() });
  await publisher.publish(channel, payload, { type }).catch((error: Error) => {
    throw explained(error, channel);
  });
}

/** Why it was not published, for whoever typed it: what breaks the schema or a limit is a matter of usage. */
export function explained(error: Error & { code?: unknown }, channel: Channel): Error {
  if (error.code === 'TICKBUS_INVALID_MESSAGE') return new UsageError(error.message);
  if (error.code !== 'TICKBUS_FENCED') return error;
  return new Error(
    `A gateway holds ${channel}, or died without releasing it, and nobody else may publish there. Stop it with SIGTERM (start one first where none runs), or use another Redis with --url.`,
    { cause: error },
  );
}
