// Traffic on channels of several kinds, with a ledger, while the server behind a URL changes.

import { setTimeout as sleep } from 'node:timers/promises';
import { checkHistory } from '@tickbus/fault-kit/check';
import { Ledger } from '@tickbus/fault-kit/ledger';
import { silentLogger as logger } from '@tickbus/test-kit';
import { acquireAndRelease } from '@tickbus/test-kit/leases';
import { z } from 'zod';
import { defineChannel, RedisLease, RedisPublisher, RedisSubscriber } from '../../index.ts';

const PUBLISH_EVERY_MS = 5;
export const LEASE_TTL_MS = 3_000;
const KEY = 'A';

const messages = { note: z.object({ key: z.string(), n: z.number() }) };
const LEASED = defineChannel('SENTINEL_LEASED', { kind: 'event', key: 'key', history: 20_000, messages });
const CHANNELS = [
  defineChannel('SENTINEL_TICKS', { kind: 'state', key: 'key', messages }),
  defineChannel('SENTINEL_FILLS', { kind: 'event', key: 'key', history: 20_000, messages }),
  defineChannel('SENTINEL_ALERTS', { kind: 'event', key: 'key', messages }),
  LEASED,
] as const;

export class SentinelTraffic {
  /** Of all channels; and without the leased one, which is silent while its lease is not held. */
  readonly recorders;
  readonly shared;
  readonly #ledger = new Ledger();
  readonly #url: string;
  readonly #publisher: RedisPublisher;
  /** Two candidates for the lease of `LEASED`, each with its publisher. */
  readonly #candidates: readonly { readonly lease: RedisLease; readonly publisher: RedisPublisher }[];
  readonly #subscriber: RedisSubscriber;
  /** Number of gaps of each channel that `untilNewEpoch` ignores. */
  readonly #oldGaps = new Map<string, number>();
  #samplesWithTwoHolders = 0;
  #isStopped = false;
  #publishing: Promise<void> = Promise.resolve();

  constructor(url: string) {
    this.#url = url;
    this.#publisher = new RedisPublisher({ url, logger });
    this.#candidates = [1, 2].map(() => {
      const lease = new RedisLease({ url, logger, channel: LEASED, ttlMs: LEASE_TTL_MS });
      return { lease, publisher: new RedisPublisher({ url, logger, lease }) };
    });
    this.#subscriber = new RedisSubscriber({ url, logger, freshness: false });
    this.recorders = CHANNELS.map((channel) => {
      const recorder = this.#ledger.recordHandler(channel.name, channel);
      this.#subscriber.subscribe(channel, (message) => {
        // After a gap the last values of a `state` channel follow again, marked as a snapshot.
        const isRepeated = message.snapshot && recorder.history.seen.some(({ n }) => n === message.data.n);
        if (!isRepeated) recorder.onMessage(message);
      });
      this.#subscriber.on('gap', recorder.onGap);
      return recorder;
    });
    this.shared = this.recorders.filter(({ history }) => history.channel !== LEASED.name);
  }

  /** How often both candidates believed to hold the lease. */
  get samplesWithTwoHolders(): number {
    return this.#samplesWithTwoHolders;
  }

  async start(): Promise<void> {
    await acquireAndRelease(LEASED, this.#url);
    const leases = this.#candidates.map(({ lease }) => lease);
    const gained = leases.map((lease) => new Promise<void>((resolve) => lease.on('gained', () => resolve())));
    await Promise.all(leases.map((lease) => lease.start()));
    await Promise.race(gained);
    await this.#publisher.connect();
    await this.#subscriber.startListening();
    for (const recorder of this.recorders) recorder.expectFromHere();
    this.#publishing = this.#publishAll();
  }

  /** Resolves when every shared channel has delivered this many messages more. */
  async untilHandled(count: number): Promise<void> {
    await Promise.all(
      this.shared.map((recorder) => {
        const before = recorder.history.seen.length;
        return recorder.until(({ seen }) => seen.length >= before + count);
      }),
    );
  }

  /** From here on, `untilNewEpoch` waits for later gaps. */
  forgetGaps(): void {
    for (const { history } of this.recorders) this.#oldGaps.set(history.channel, history.gaps.length);
  }

  /** Resolves when every channel has reported a gap because of a new epoch. */
  async untilNewEpoch(recorders = this.recorders): Promise<void> {
    await Promise.all(
      recorders.map((recorder) =>
        recorder.until(({ channel, gaps }) =>
          gaps.slice(this.#oldGaps.get(channel)).some(({ cause }) => cause === 'epoch'),
        ),
      ),
    );
  }

  /** Resolves when every channel has delivered a message that was published after this call. */
  async untilLive(recorders = this.recorders): Promise<void> {
    const from = this.#ledger.next;
    await Promise.all(
      recorders.map((recorder) => recorder.until(({ seen }) => (seen.at(-1)?.n ?? -1) >= from)),
    );
  }

  /** Stops publishing. Resolves with the checked history when the handlers have everything. */
  async finish() {
    this.#isStopped = true;
    await this.#publishing;
    await Promise.all(
      this.recorders.map((recorder) => {
        const { channel } = recorder.history;
        const last = this.#ledger.sent.findLast(
          (one) => one.channel === channel && one.outcome === 'accepted',
        );
        return recorder.until(({ seen }) => (seen.at(-1)?.n ?? -1) >= (last?.n ?? 0));
      }),
    );
    return checkHistory(this.#ledger.sent, this.#ledger.histories);
  }

  async close(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#publisher.close(), this.#subscriber.close()]);
    for (const { lease, publisher } of this.#candidates) {
      await publisher.close();
      await lease.close();
    }
    await this.#publishing;
  }

  async #publishAll(): Promise<void> {
    const pending: Promise<unknown>[] = [];
    while (!this.#isStopped) {
      for (const channel of CHANNELS) {
        const publisher = channel === LEASED ? this.#leaseHolder() : this.#publisher;
        pending.push(this.#ledger.publish(channel, KEY, (n) => publisher.publish(channel, { key: KEY, n })));
      }
      await sleep(PUBLISH_EVERY_MS);
    }
    await Promise.all(pending);
  }

  #leaseHolder(): RedisPublisher {
    const holders = this.#candidates.filter(({ lease }) => lease.holds);
    if (holders.length > 1) this.#samplesWithTwoHolders++;
    const [first] = this.#candidates;
    const publisher = (holders[0] ?? first)?.publisher;
    if (publisher === undefined) throw new Error('There is no candidate.');
    return publisher;
  }
}
