// The channels of the fault programs: one of each kind, all with the same payload, which carries its number in the ledger.

import { defineChannel } from 'tickbus';
import { z } from 'zod';

const messages = {
  note: z.object({
    key: z.string(),
    /** The number in the ledger. */
    n: z.number(),
    /** Whatever a scenario wants to send along, or to make the message larger by. */
    text: z.string().optional(),
  }),
};

/** The newest of each key counts. */
export const TICKS = defineChannel('TICKS', { kind: 'state', key: 'key', messages });
/** Every message counts, and enough of them are kept to repair a loss. */
export const FILLS = defineChannel('FILLS', { kind: 'event', key: 'key', history: 20_000, messages });
/** As TICKS and FILLS, for the holder of the channel's lease. */
export const LEASED_TICKS = defineChannel('LEASED_TICKS', { kind: 'state', key: 'key', messages });
export const LEASED_FILLS = defineChannel('LEASED_FILLS', {
  kind: 'event',
  key: 'key',
  history: 20_000,
  messages,
});
/** Every message counts, and few are kept. */
export const TRIMMED = defineChannel('TRIMMED', { kind: 'event', key: 'key', history: 100, messages });
/** Every message counts, and none is kept. */
export const ALERTS = defineChannel('ALERTS', { kind: 'event', key: 'key', messages });
/** Commands that live for a second. */
export const ORDERS = defineChannel('ORDERS', { kind: 'command', key: 'key', expiresInMs: 1_000, messages });
/** Unnumbered. */
export const CHAT = defineChannel('CHAT', { kind: 'plain', key: 'key', messages });

export type NoteChannel = typeof FILLS;

/** By name, for worker processes, which are told a name. */
export const BY_NAME: Readonly<Record<string, NoteChannel>> = Object.fromEntries(
  [TICKS, FILLS, LEASED_TICKS, LEASED_FILLS, TRIMMED, ALERTS, ORDERS, CHAT].map((channel) => [
    channel.name,
    channel,
  ]),
);
