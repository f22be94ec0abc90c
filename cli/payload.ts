// Parses payloads from the command line and validates them before anything is sent.

import type { Channel } from 'tickbus';
import { RedisPublisher } from 'tickbus/publisher';
import { MemoryConnection } from 'tickbus/testing';
import { UsageError } from './exit.ts';

export type JsonPayload = Readonly<Record<string, unknown>>;

/** @param what the subject of the error message. @throws UsageError */
export function parsePayload(text: string, what: string): JsonPayload {
  let payload: unknown;
  try {
    payload = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${what} is not valid JSON: ${(error as Error).message}.`);
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    throw new UsageError(`${what} is JSON, but not an object such as {"symbol":"AAPL"}.`);
  return payload as JsonPayload;
}

/** Validates by publishing in memory. @throws UsageError that names the field */
export async function checkPayload(channel: Channel, type: string, payload: JsonPayload): Promise<void> {
  await using publisher = new RedisPublisher({ connection: new MemoryConnection() });
  await publisher.publish(channel, payload, { type }).catch((error: Error) => {
    throw toUserError(error);
  });
}

/** Maps a publish error to one for the user of the command. A schema or limit violation is a usage error. */
export function toUserError(error: Error & { code?: unknown }): Error {
  if (error.code === 'TICKBUS_INVALID_MESSAGE') return new UsageError(error.message);
  if (error.code !== 'TICKBUS_FENCED') return error;
  return new Error(
    `${error.message} On the command line: stop the holder with SIGTERM (if none runs, start a gateway first), ` +
      'or use another Redis with --url.',
    { cause: error },
  );
}
