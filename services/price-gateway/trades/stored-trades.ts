// Reads the messages that are stored on TRADES, from which a gateway learns what was published before.

import { type Connection, type TradeChannel, tradeChannel } from 'tickbus';
import { readStored } from 'tickbus/admin';
import { z } from 'zod';
import { type ChannelMessage, isLate, timeOf } from './trade-messages.ts';

export interface StoredTrades {
  /** Those of an instrument are in the order of their publishing. */
  readonly messages: readonly ChannelMessage[];
  /** The server may have dropped what happened earlier, Unix milliseconds; undefined if it has dropped nothing. */
  readonly knownFrom: number | undefined;
}

const { trade, trade_correction, trade_cancel, trade_gap } = tradeChannel().messages;
const stored = z.discriminatedUnion('message_type', [
  z.object({ message_type: z.literal('trade'), data: trade }),
  z.object({ message_type: z.literal('trade_correction'), data: trade_correction }),
  z.object({ message_type: z.literal('trade_cancel'), data: trade_cancel }),
  z.object({ message_type: z.literal('trade_gap'), data: trade_gap }),
]);

/** @throws TickbusError if Redis cannot be read */
export async function readStoredTrades(
  transport: Connection['publishing'],
  channel: TradeChannel,
): Promise<StoredTrades> {
  const parts = await readStored(transport, channel, parse);
  const dropped = parts.flatMap(({ isFull, messages }) => {
    // What was dropped can have happened after a late trade.
    const oldest = messages.find((message) => !isLate(message)) ?? messages.at(-1);
    return isFull && oldest ? timeOf(oldest) : [];
  });
  return {
    messages: parts.flatMap(({ messages }) => messages),
    knownFrom: dropped.length === 0 ? undefined : Math.max(...dropped),
  };
}

/** Undefined for what no gateway has published. */
function parse(message: unknown): ChannelMessage | undefined {
  const { data: valid } = stored.safeParse(message);
  return valid && ({ type: valid.message_type, data: valid.data } as ChannelMessage);
}
