// Finds the instruments that have a status on INSTRUMENT_STATUS, which an earlier gateway may have left behind.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Connection, type InstrumentStatus, instrumentStatus } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { z } from 'zod';

const message = z.object({ data: instrumentStatus });

/** Statuses that are parsed in one turn of the event loop. */
const PER_TURN = 500;

/**
 * Returns the statuses for PRICE_DATA; the channel can also carry statuses for other channels.
 *
 * @throws TickbusError if Redis cannot be read
 */
export async function readEarlierStatuses(
  transport: Connection['publishing'],
): Promise<readonly InstrumentStatus[]> {
  const { entries } = await transport.read(CHANNELS.INSTRUMENT_STATUS);
  const statuses: InstrumentStatus[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index % PER_TURN === PER_TURN - 1) await nextTurn();
    const status = parseStatus(entry);
    if (status !== undefined) statuses.push(status);
  }
  return statuses;
}

/** Undefined for an entry that is not an instrument status, and for a status for another channel. */
function parseStatus(entry: Uint8Array): InstrumentStatus | undefined {
  try {
    const { data } = message.parse(JSON.parse(new TextDecoder().decode(entry)));
    return (data.channel ?? CHANNELS.PRICE_DATA.name) === CHANNELS.PRICE_DATA.name ? data : undefined;
  } catch {
    return undefined;
  }
}
