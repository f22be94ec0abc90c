// Creates the price book of a new gateway, which continues where an earlier one ended.

import { type Clock, type Connection, type PriceChannel, price } from 'tickbus';
import { readStored } from 'tickbus/admin';
import { z } from 'zod';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import { PriceBook, type PublishedPrice } from './price-book.ts';

const message = z.object({ at: z.number(), data: price });

export interface ContinuedBookOptions {
  readonly connection: Connection;
  readonly channel: PriceChannel;
  readonly venue: string | undefined;
  readonly clock: Clock;
  readonly warnings: RateLimitedLog;
}

/** The book takes events that are older than the last prices on the channel for late. */
export async function createContinuedBook({
  connection,
  channel,
  venue,
  clock,
  warnings,
}: ContinuedBookOptions): Promise<PriceBook> {
  const book = new PriceBook(venue, () => clock.now());
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
  const parts = await readStored(transport, channel, parse, (error) => {
    const text = 'Cannot read the last prices; older prices that the venue sends again are published.';
    warnings.warn('last-prices', { reason: String(error) }, text);
  });
  return parts.flatMap(({ messages }) => messages);
}

/** Undefined for an entry that is not a price: any client can publish on the channel. */
function parse(published: unknown): PublishedPrice | undefined {
  return message.safeParse(published).data;
}
