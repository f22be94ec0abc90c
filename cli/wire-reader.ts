// Reads channels from the wire, and reports connection changes and gaps on stderr.

import type { RedisConnection, SubscriberStatus } from 'tickbus';
import { RedisSubscriber } from 'tickbus/subscriber';
import { knownChannel, type WireChannel, wireChannel } from './channel-lookup.ts';
import type { Context } from './context.ts';
import type { Terminal } from './terminal.ts';
import { recordedPartitions } from './wire-partitions.ts';

export interface WireReader {
  /** Rejects when the connection fails permanently. */
  readonly failed: Promise<never>;
}

/**
 * Calls `onFrame` with every message of the channels from now on. A subscriber on the same connection detects gaps.
 *
 * @throws TickbusError if the server is unreachable or rejects the credentials
 */
export async function readWire(
  context: Context,
  connection: RedisConnection,
  names: readonly string[],
  onFrame: (channel: string, frame: Uint8Array) => void,
): Promise<WireReader> {
  const subscriber = context.closing(
    new RedisSubscriber({ connection, logger: context.logger, freshness: false }),
  );
  const failed = new Promise<never>((_, reject) => {
    subscriber.on('status', (status) => {
      if (status.type === 'failed') reject(status.error);
      else report(status, context.terminal);
    });
  });
  // Prevents an unhandled rejection: `failed` can reject before a caller awaits it.
  failed.catch(() => {});
  await subscribeAll(context, connection, names, onFrame);
  for (const channel of names.map(knownChannel)) {
    // The callback does nothing: the tap only makes the subscriber check the sequence numbers.
    if (channel !== undefined) subscriber.tap(channel, () => {});
  }
  await subscriber.startListening();
  return { failed };
}

/** Interval at which the number of partitions of each channel is read again. */
const FOLLOW_MS = 1_000;

/** Subscribes to each channel and its partitions, and to further partitions when their number changes. */
async function subscribeAll(
  context: Context,
  { subscribing }: RedisConnection,
  names: readonly string[],
  onFrame: (channel: string, frame: Uint8Array) => void,
): Promise<void> {
  await subscribing.connect();
  const subscribed = new Set<string>();
  const subscribe = async (name: string, channels: readonly WireChannel[]) => {
    const added = channels.filter((channel) => !subscribed.has(channel.name));
    for (const channel of added) subscribed.add(channel.name);
    await Promise.all(
      added.map((channel) => subscribing.subscribe(channel, (frame) => onFrame(name, frame))),
    );
  };
  const follow = async (name: string) =>
    subscribe(name, await recordedPartitions(subscribing, wireChannel(name)));
  await Promise.all(names.map((name) => subscribe(name, [wireChannel(name)])));
  await Promise.all(names.map(follow));
  const timer = setInterval(() => {
    // While the link is down, the subscriber of this command reports it.
    for (const name of names) follow(name).catch(() => {});
  }, FOLLOW_MS);
  context.closing({ [Symbol.asyncDispose]: async () => clearInterval(timer) });
}

function report(status: SubscriberStatus, terminal: Terminal): void {
  switch (status.type) {
    case 'stale':
      return terminal.warn(`No data from Redis for ${Math.round(status.silentForMs)} ms.`);
    case 'disconnected':
      return terminal.warn(`${status.error.message} Reconnecting.`);
    case 'connected':
      return status.generation > 1 ? terminal.note('Reconnected.') : undefined;
    case 'recovery_failed':
      return terminal.warn(`Cannot detect gaps on ${status.channel}: ${status.error.message}`);
    case 'forged': {
      const { channel, count, senders } = status;
      return terminal.warn(
        `Forged or repeated sequence numbers on ${channel}: ${count} from ${senders.join(', ') || 'unknown'}.`,
      );
    }
    case 'gap': {
      const { channel, from, to, lost } = status;
      const range = to === undefined ? `after ${from ?? 'the beginning'}` : `${from} to ${to}`;
      return terminal.warn(`Gap on ${channel}: missed ${range}${lost ? ` (${lost} messages)` : ''}.`);
    }
  }
}
