// Reads channels as they come from the wire, and says on stderr what happens to the link and what was lost.

import type { RedisConnection, SubscriberStatus } from 'tickbus';
import { RedisSubscriber } from 'tickbus/subscriber';
import { bundledChannel, wireChannel } from './channels.ts';
import type { Context } from './context.ts';
import type { Terminal } from './terminal.ts';

export interface WireReader {
  /** Rejects when the link is given up: it does not come back by itself. */
  readonly failed: Promise<never>;
}

/**
 * Calls `onFrame` with every message of the channels, from now on. Losses are noticed by a subscriber of the library beside it,
 * on the same link.
 *
 * @throws TickbusError when the server cannot be reached, or does not let us in
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
  // It also fails while nobody waits for it yet.
  failed.catch(() => {});
  await subscribeAll(connection, names, onFrame);
  for (const channel of names.map(bundledChannel)) {
    // It only notices losses: no message is wanted.
    if (channel !== undefined) subscriber.tap(channel, () => {});
  }
  await subscriber.startListening();
  return { failed };
}

async function subscribeAll(
  { subscribing }: RedisConnection,
  names: readonly string[],
  onFrame: (channel: string, frame: Uint8Array) => void,
): Promise<void> {
  await subscribing.connect();
  const subscribe = (name: string) =>
    subscribing.subscribe(wireChannel(name), (frame) => onFrame(name, frame));
  await Promise.all(names.map(subscribe));
}

function report(status: SubscriberStatus, terminal: Terminal): void {
  switch (status.type) {
    case 'stale':
      return terminal.warn(`Redis has said nothing for ${Math.round(status.silentForMs)} ms.`);
    case 'disconnected':
      return terminal.warn(`${status.error.message} Reconnecting.`);
    case 'connected':
      return status.generation > 1 ? terminal.note('Connected again.') : undefined;
    case 'recovery_failed':
      return terminal.warn(`Losses on ${status.channel} are not noticed: ${status.error.message}`);
    case 'gap': {
      const { channel, from, to, lost } = status;
      const range = to === undefined ? `after ${from ?? 'the beginning'}` : `${from} to ${to}`;
      return terminal.warn(`Messages on ${channel} were missed here: ${range}${lost ? ` (${lost})` : ''}.`);
    }
  }
}
