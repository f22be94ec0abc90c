// Keeps a gateway from serving a channel that has another feed: a takeover would change what its prices mean.

import { type Connection, feedStatus, type PriceChannel } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { z } from 'zod';
import type { Feed } from '../feeds/feed.ts';

/** The gateway must not stand by, because another one serves its channel with another feed. */
export class FeedConflictError extends Error {
  override readonly name = 'FeedConflictError';
}

/** What two gateways of one channel must have in common, as in FEED_STATUS. */
export interface FeedIdentity {
  readonly feed: string;
  readonly venue?: string | undefined;
}

/** Maximum characters of `venue` in the schema of FEED_STATUS. */
const MAX_VENUE = 256;

/** The feed's kind, and where its prices come from. Other settings do not change what a price means. */
export function identityOf({ name, venue, origin }: Feed): FeedIdentity {
  const place = [venue, origin].filter((part) => part !== undefined).join(' ');
  return { feed: name, ...(place !== '' && { venue: place.slice(0, MAX_VENUE) }) };
}

/**
 * The status of a gateway that did not report `stopped` counts for so many of its heartbeat intervals, which is ten
 * lease TTLs: a gateway that crashed may be back by then.
 */
const CURRENT_INTERVALS = 60;
const DEFAULT_INTERVAL_MS = 1_000;

/** Interval at which a standby compares the feeds, milliseconds. */
const CHECK_MS = 1_000;

const message = z.object({ at: z.number(), data: feedStatus });

export interface FeedGuardOptions {
  readonly connection: Connection;
  readonly channel: PriceChannel;
  /** Called when `watch` has found another feed. */
  readonly onConflict: () => void;
}

export class FeedGuard {
  /** Resolves when another feed was found while the gateway was running. */
  readonly found: Promise<FeedConflictError>;
  readonly #options: FeedGuardOptions;
  #own: FeedIdentity | undefined;
  #conflict: FeedConflictError | undefined;
  #report: (conflict: FeedConflictError) => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FeedGuardOptions) {
    this.#options = options;
    this.found = new Promise((resolve) => {
      this.#report = resolve;
    });
  }

  /** The other feed, once it was found. */
  get conflict(): FeedConflictError | undefined {
    return this.#conflict;
  }

  /**
   * @param ownLease the token of the lease, if this gateway holds it
   * @throws FeedConflictError if another feed serves the channel; TickbusError if Redis cannot be read
   */
  async check(feed: Feed, ownLease?: number): Promise<void> {
    this.#own = identityOf(feed);
    this.#conflict = await this.#find(ownLease);
    if (this.#conflict !== undefined) throw this.#conflict;
  }

  /** Checks again periodically: two gateways that start at the same time see no status at first. */
  watch(isStandby: () => boolean): void {
    this.#timer = setTimeout(async () => {
      // A failure to read changes nothing: a gateway compares the feeds again before it becomes active.
      const conflict = isStandby() ? await this.#find().catch(() => undefined) : undefined;
      if (this.#timer === undefined) return;
      if (conflict === undefined || !isStandby()) this.watch(isStandby);
      else this.refuse(conflict);
    }, CHECK_MS);
  }

  /** Reports the other feed, for good. */
  refuse(conflict: FeedConflictError): void {
    this.#conflict = conflict;
    this.#report(conflict);
    this.#options.onConflict();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #find(ownLease?: number): Promise<FeedConflictError | undefined> {
    const { connection, channel } = this.#options;
    const own = this.#own;
    return own && findFeedConflict(connection.publishing, channel, own, ownLease);
  }
}

/**
 * Compares `own` with the newest status of the channel. While another gateway holds the lease, only its status counts:
 * others may be forged, or of a gateway that has lost the lease. A status without a venue, as of earlier versions,
 * conflicts only if its feed differs.
 *
 * @returns undefined if they are the same, or the last gateway has reported `stopped` or is gone for long
 * @throws TickbusError if Redis cannot be read
 */
async function findFeedConflict(
  transport: Connection['publishing'],
  channel: PriceChannel,
  own: FeedIdentity,
  ownLease: number | undefined,
): Promise<FeedConflictError | undefined> {
  const { entries, at: now } = await transport.read(CHANNELS.FEED_STATUS);
  const { lease: held } = await transport.head(channel);
  const isOfHolder = (lease: number | undefined) => held === undefined || held === ownLease || held === lease;
  const [newest] = entries
    .map(parseStatus)
    .filter((status) => status !== undefined)
    .filter(
      ({ data }) => (data.channel ?? CHANNELS.PRICE_DATA.name) === channel.name && isOfHolder(data.lease),
    )
    .sort((a, b) => b.at - a.at);
  if (newest === undefined || newest.data.state === 'stopped') return undefined;
  const { data: other, at } = newest;
  const currentMs = CURRENT_INTERVALS * (other.interval_ms ?? DEFAULT_INTERVAL_MS);
  const isSame = other.feed === own.feed && (other.venue ?? own.venue) === (own.venue ?? other.venue);
  return isSame || now - at >= currentMs ? undefined : conflictOf(channel, own, other, currentMs);
}

function conflictOf(
  channel: PriceChannel,
  own: FeedIdentity,
  other: FeedIdentity & { readonly holder?: string | undefined },
  currentMs: number,
): FeedConflictError {
  const holder = other.holder === undefined ? '' : `, held by ${other.holder}`;
  const seconds = Math.ceil(currentMs / 1_000);
  return new FeedConflictError(
    `The feed of this gateway is ${textOf(own)}, but the feed of ${channel} is ${textOf(other)}${holder}. After a ` +
      'takeover, bots would get the prices of another feed under the same name, so this gateway does not stand by. ' +
      'To serve both, give this gateway a channel of its own, as in CHANNEL=PRICE_DATA.kraken. To stand by, set the ' +
      'same FEED and venue. To replace the feed, stop the other gateway first; if it crashed, its last status counts ' +
      `for ${seconds} s.`,
  );
}

function textOf({ feed, venue }: FeedIdentity): string {
  return venue === undefined ? feed : `${feed} (${venue})`;
}

/** Undefined for an entry that is not a feed status: any client can publish on the channel. */
function parseStatus(entry: Uint8Array): z.infer<typeof message> | undefined {
  try {
    return message.safeParse(JSON.parse(new TextDecoder().decode(entry))).data;
  } catch {
    return undefined;
  }
}
