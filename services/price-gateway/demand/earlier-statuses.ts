// Finds the instruments that have a status on INSTRUMENT_STATUS, which an earlier gateway may have left behind.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Connection, instrumentStatus } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { z } from 'zod';

const message = z.object({ data: instrumentStatus });

/** Statuses that are parsed in one turn of the event loop. */
const PER_TURN = 500;

/**
 * Returns the symbols that have a status for PRICE_DATA; the channel can also carry statuses for other channels.
 *
 * @throws TickbusError if Redis cannot be read
 */
export async function readReportedSymbols(transport: Connection['publishing']): Promise<readonly string[]> {
  const { entries } = await transport.read(CHANNELS.INSTRUMENT_STATUS);
  const symbols: string[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index % PER_TURN === PER_TURN - 1) await nextTurn();
    const symbol = parseSymbol(entry);
    if (symbol !== undefined) symbols.push(symbol);
  }
  return symbols;
}

/** Undefined for an entry that is not an instrument status, and for a status for another channel. */
function parseSymbol(entry: Uint8Array): string | undefined {
  try {
    const { data } = message.parse(JSON.parse(new TextDecoder().decode(entry)));
    return (data.channel ?? CHANNELS.PRICE_DATA.name) === CHANNELS.PRICE_DATA.name ? data.symbol : undefined;
  } catch {
    return undefined;
  }
}
