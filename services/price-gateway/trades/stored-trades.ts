// Reads the messages that are stored on TRADES, from which a gateway learns what was published before.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Connection, type TradeChannel, tradeChannel } from 'tickbus';
import { partitionName } from 'tickbus/admin';
import { z } from 'zod';
import { type ChannelMessage, timeOf } from './trade-messages.ts';

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

/** Messages that are parsed in one turn of the event loop. */
const PER_TURN = 500;

/** @throws TickbusError if Redis cannot be read */
export async function readStoredTrades(
  transport: Connection['publishing'],
  channel: TradeChannel,
): Promise<StoredTrades> {
  const { entries, partitions = 1 } = await transport.read(channel);
  if (partitions === 1) return parseAll(entries, channel.history);
  const messages: ChannelMessage[] = [];
  let knownFrom: number | undefined;
  for (let index = 0; index < partitions; index++) {
    const partition = {
      ...channel,
      name: partitionName(channel.name, index, partitions),
      layout: partitions,
    };
    const part = await parseAll((await transport.read(partition)).entries, channel.history);
    messages.push(...part.messages);
    if (part.knownFrom !== undefined) knownFrom = Math.max(part.knownFrom, knownFrom ?? 0);
  }
  return { messages, knownFrom };
}

async function parseAll(entries: readonly Uint8Array[], history: number): Promise<StoredTrades> {
  const messages: ChannelMessage[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index % PER_TURN === PER_TURN - 1) await nextTurn();
    const message = parse(entry);
    if (message !== undefined) messages.push(message);
  }
  const [oldest] = messages;
  return { messages, knownFrom: entries.length < history || !oldest ? undefined : timeOf(oldest) };
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
