// Finds the instruments that have a status on INSTRUMENT_STATUS, which an earlier gateway may have left behind.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Connection,
  type InstrumentStatus,
  instrumentStatus,
  type PriceChannel,
  TickbusError,
} from 'tickbus';
import { readStored } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';

/** Delay until the statuses are read again, milliseconds. */
const RETRY_MS = 1_000;

export interface EarlierStatusesOptions {
  readonly connection: Connection;
  readonly channel: PriceChannel;
  readonly warnings: RateLimitedLog;
}

export class EarlierStatuses {
  readonly #options: EarlierStatusesOptions;
  #statuses: readonly InstrumentStatus[] | undefined;

  constructor(options: EarlierStatusesOptions) {
    this.#options = options;
  }

  /** One attempt. Call it before the feed starts: the statuses of its instruments replace the earlier ones. */
  async read(): Promise<void> {
    const { connection, channel, warnings } = this.#options;
    try {
      this.#statuses = await readStatuses(connection.publishing, channel);
    } catch (error) {
      // The gateway goes on: permissions do not change by themselves.
      if (error instanceof TickbusError && error.code === 'TICKBUS_DENIED') this.#statuses = [];
      const text =
        'Cannot read the instrument statuses of earlier gateways; trying again unless this is denied.';
      warnings.warn('statuses', { reason: String(error) }, text);
    }
  }

  /**
   * Gives out what was read: at once, or as soon as Redis can be read. Nothing if the Redis user may not read it.
   *
   * @param isNeeded false once the result is not needed any more
   */
  async pass(to: (statuses: readonly InstrumentStatus[]) => void, isNeeded: () => boolean): Promise<void> {
    while (this.#statuses === undefined && isNeeded()) {
      await sleep(RETRY_MS, undefined, { ref: false });
      await this.read();
    }
    if (this.#statuses !== undefined && isNeeded()) to(this.#statuses);
  }
}

/** INSTRUMENT_STATUS carries the statuses of all channels. @throws TickbusError if Redis cannot be read */
async function readStatuses(
  transport: Connection['publishing'],
  { name }: PriceChannel,
): Promise<readonly InstrumentStatus[]> {
  const parts = await readStored(transport, CHANNELS.INSTRUMENT_STATUS, ({ data }) => {
    const { data: status } = instrumentStatus.safeParse(data);
    return (status?.channel ?? CHANNELS.PRICE_DATA.name) === name ? status : undefined;
  });
  return parts.flatMap(({ messages }) => messages);
}
