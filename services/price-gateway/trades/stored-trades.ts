// Reads the messages that are stored on TRADES, from which a gateway learns what was published before.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Connection, TradeChannel } from 'tickbus';
import { tradeChannel } from 'tickbus';
import { z } from 'zod';
import type { ChannelMessage } from './trade-messages.ts';

export interface StoredTrades {
  /** In the order of their publishing. */
  readonly messages: readonly ChannelMessage[];
  /** Whether the server may have dropped older ones. */
  readonly isTrimmed: boolean;
}

const { trade, trade_correction, trade_cancel, trade_gap } = tradeChannel().messages;
const stored = z.discriminatedUnion('message_type', [
  z.object({ message_type: z.literal('trade'), data: trade }),
  z.object({ message_type: z.literal('trade_correction'), data: trade_correction }),
  z.object({ message_type: z.literal('trade_cancel'), data: trade_cancel }),
  z.object({ message_type: z.literal('trade_gap'), data: trade_gap }),
]);

/** Messages that are parsed in one turn of the event loop. */
const PER_TURN = 500;

/** @throws TickbusError if Redis cannot be read */
export async function readStoredTrades(
  transport: Connection['publishing'],
  channel: TradeChannel,
): Promise<StoredTrades> {
  const { entries } = await transport.read(channel);
  const messages: ChannelMessage[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index % PER_TURN === PER_TURN - 1) await nextTurn();
    const message = parse(entry);
    if (message !== undefined) messages.push(message);
  }
  return { messages, isTrimmed: entries.length >= channel.history };
}

/** Undefined for what no gateway has published. */
function parse(entry: Uint8Array): ChannelMessage | undefined {
  try {
    const { message_type: type, data } = stored.parse(JSON.parse(new TextDecoder().decode(entry)));
    return { type, data } as ChannelMessage;
  } catch {
    return undefined;
  }
}
