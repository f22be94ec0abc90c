// The channels of the fault programs, at least one of each kind, with one payload schema.

import { defineChannel } from 'tickbus';
import { z } from 'zod';

const messages = {
  note: z.object({
    key: z.string(),
    /** The number in the ledger. */
    n: z.number(),
    /** A marker, or padding to enlarge the message. */
    text: z.string().optional(),
  }),
};

export const TICKS = defineChannel('TICKS', { kind: 'state', key: 'key', messages });
/** Its history is long enough to repair a loss. */
export const FILLS = defineChannel('FILLS', { kind: 'event', key: 'key', history: 20_000, messages });
/** Only the lease holder publishes on LEASED_TICKS and LEASED_FILLS. */
export const LEASED_TICKS = defineChannel('LEASED_TICKS', { kind: 'state', key: 'key', messages });
export const LEASED_FILLS = defineChannel('LEASED_FILLS', {
  kind: 'event',
  key: 'key',
  history: 20_000,
  messages,
});
/** Its history is too short to repair a long loss. */
export const TRIMMED = defineChannel('TRIMMED', { kind: 'event', key: 'key', history: 100, messages });
/** Without history. */
export const ALERTS = defineChannel('ALERTS', { kind: 'event', key: 'key', messages });
/** Commands expire after one second. */
export const ORDERS = defineChannel('ORDERS', { kind: 'command', key: 'key', expiresInMs: 1_000, messages });
/** Its messages have no position. */
export const CHAT = defineChannel('CHAT', { kind: 'plain', key: 'key', messages });

export type FaultChannel = typeof FILLS;

/** For worker processes, which receive a channel name. */
export const BY_NAME: Readonly<Record<string, FaultChannel>> = Object.fromEntries(
  [TICKS, FILLS, LEASED_TICKS, LEASED_FILLS, TRIMMED, ALERTS, ORDERS, CHAT].map((channel) => [
    channel.name,
    channel,
  ]),
);
