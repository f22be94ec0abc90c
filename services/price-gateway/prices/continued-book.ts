// Creates the price book of a new gateway, which continues where an earlier one ended.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Connection, type PriceChannel, price } from 'tickbus';
import { partitionName } from 'tickbus/admin';
import { z } from 'zod';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import { PriceBook, type PublishedPrice } from './price-book.ts';

const message = z.object({ at: z.number(), data: price });

/** Prices that are parsed in one turn of the event loop. */
const PER_TURN = 500;

export interface ContinuedBookOptions {
  readonly connection: Connection;
  readonly channel: PriceChannel;
  readonly venue: string | undefined;
  readonly warnings: RateLimitedLog;
}

/** The book takes events that are older than the last prices on the channel for late. */
export async function createContinuedBook({
  connection,
  channel,
  venue,
  warnings,
}: ContinuedBookOptions): Promise<PriceBook> {
  const book = new PriceBook(venue);
  book.continueFrom(await readLastPrices(connection.publishing, channel, warnings));
  return book;
}

/**
 * The last price of each instrument. A partition that cannot be read is left out, with a warning: a gateway must not
 * wait for a node of a cluster that is down while the others can be served.
 */
async function readLastPrices(
  transport: Connection['publishing'],
  channel: PriceChannel,
  warnings: RateLimitedLog,
): Promise<readonly PublishedPrice[]> {
  const prices: PublishedPrice[] = [];
  const read = async (spec: PriceChannel) => {
    const { entries, partitions = 1 } = await transport.read(spec);
    for (const [index, entry] of entries.entries()) {
      if (index % PER_TURN === PER_TURN - 1) await nextTurn();
      const published = parse(entry);
      if (published !== undefined) prices.push(published);
    }
    return partitions;
  };
  const warn = (error: unknown) => {
    const text = 'Cannot read the last prices; older prices that the venue sends again are published.';
    warnings.warn('last-prices', { reason: String(error) }, text);
    return 1;
  };
  const layout = await read(channel).catch(warn);
  if (layout === 1) return prices;
  const names = Array.from({ length: layout }, (_, index) => partitionName(channel.name, index, layout));
  await Promise.all(names.map((name) => read({ ...channel, name, layout }).catch(warn)));
  return prices;
}

/** Undefined for an entry that is not a price: any client can publish on the channel. */
function parse(entry: Uint8Array): PublishedPrice | undefined {
  try {
    return message.safeParse(JSON.parse(new TextDecoder().decode(entry))).data;
  } catch {
    return undefined;
  }
}
