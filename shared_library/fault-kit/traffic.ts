// Traffic on several channels while the servers behind one address fail: a ledger of all messages, and when each
// channel is live again.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Channel, type Logger, type Published, RedisSubscriber, type Verdict } from 'tickbus';
import { type CheckedHistory, checkHistory } from './check-history.ts';
import { type HistoryRecorder, Ledger } from './ledger.ts';

export interface TrafficPayload {
  readonly key: string;
  /** The number in the ledger. */
  readonly n: number;
}

export interface TrafficOptions<C extends Channel> {
  /** The address of the subscriber. */
  readonly url: string;
  readonly channels: readonly C[];
  /** Publishes the payload on the channel, with the publisher of that channel. */
  readonly publish: (channel: C, payload: TrafficPayload) => Promise<Published>;
  readonly logger: Logger;
  /** Default: a new one. */
  readonly ledger?: Ledger;
}

const PUBLISH_EVERY_MS = 5;
const POLL_MS = 10;
/** Messages of each channel before `start` resolves. */
const FIRST_MESSAGES = 50;
/** The value of a `state` channel that is older is not fresh. */
const MAX_AGE_MS = 5_000;
const KEY = 'A';
const LINK_STATES: ReadonlySet<string> = new Set([
  'stale',
  'disconnected',
  'reconnecting',
  'connected',
  'failed',
]);

export class Traffic<C extends Channel> implements AsyncDisposable {
  readonly ledger: Ledger;
  readonly channels: readonly C[];
  readonly subscriber: RedisSubscriber;
  /** The channels whose links have reported a state since the last `forget`. */
  readonly linkChanges = new Set<string>();
  /** The channels with a changed verdict since the last `forget`. */
  readonly verdictChanges = new Set<string>();
  readonly #publish: TrafficOptions<C>['publish'];
  readonly #recorders = new Map<C, HistoryRecorder>();
  /** Number of gaps of each channel that `untilNewEpoch` ignores. */
  readonly #oldGaps = new Map<C, number>();
  #isStopped = false;
  #publishing: Promise<void> = Promise.resolve();

  constructor({ url, channels, publish, logger, ledger = new Ledger() }: TrafficOptions<C>) {
    this.ledger = ledger;
    this.channels = channels;
    this.#publish = publish;
    this.subscriber = new RedisSubscriber({ url, logger, freshness: false });
    for (const channel of channels) this.#recorders.set(channel, this.#record(channel));
    this.subscriber.on('status', (status) => {
      if (LINK_STATES.has(status.type) && 'channel' in status) this.linkChanges.add(status.channel);
    });
    this.subscriber.on('verdict', ({ channel }) => this.verdictChanges.add(channel));
  }

  /** Resolves when every channel has had its first messages. */
  async start(): Promise<void> {
    await this.subscriber.startListening();
    for (const recorder of this.#recorders.values()) recorder.expectFromHere();
    this.#publishing = this.#publishAll();
    await this.untilHandled(FIRST_MESSAGES);
    this.forget();
  }

  /** From here on, only later link states, verdicts and gaps count. */
  forget(): void {
    this.linkChanges.clear();
    this.verdictChanges.clear();
    for (const [channel, { history }] of this.#recorders) this.#oldGaps.set(channel, history.gaps.length);
  }

  /** Resolves when each channel has delivered this many messages more. */
  untilHandled(count: number, channels?: readonly C[]): Promise<void> {
    return this.#all(channels, (recorder) => {
      const before = recorder.history.seen.length;
      return recorder.until(({ seen }) => seen.length >= before + count);
    });
  }

  /** Resolves when each channel has reported a gap because of a new epoch since the last `forget`. */
  untilNewEpoch(channels?: readonly C[]): Promise<void> {
    return this.#all(channels, (recorder, channel) =>
      recorder.until(({ gaps }) =>
        gaps.slice(this.#oldGaps.get(channel)).some(({ cause }) => cause === 'epoch'),
      ),
    );
  }

  /** Resolves when each channel has delivered a message that was published after this call. */
  untilLive(channels?: readonly C[]): Promise<void> {
    const from = this.ledger.next;
    return this.#all(channels, (recorder) => recorder.until(({ seen }) => (seen.at(-1)?.n ?? -1) >= from));
  }

  /** Resolves when the value of each `state` channel has this verdict. */
  async untilVerdict(verdict: Verdict, channels: readonly C[] = this.channels): Promise<void> {
    const states = channels.filter(({ kind }) => kind === 'state');
    while (states.some((channel) => this.subscriber.latest(channel, KEY).verdict !== verdict))
      await sleep(POLL_MS);
  }

  /** Stops publishing. Resolves with the checked history when the handlers have everything. */
  async finish(): Promise<CheckedHistory> {
    await this.untilLive();
    await this.#stop();
    await this.#all(this.channels, (recorder) => {
      const { channel } = recorder.history;
      const last = this.ledger.sent.findLast(
        (sent) => sent.channel === channel && sent.outcome === 'accepted',
      );
      return recorder.until(({ seen }) => (seen.at(-1)?.n ?? -1) >= (last?.n ?? 0));
    });
    return checkHistory(this.ledger.sent, this.ledger.histories);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await this.subscriber.close({ timeoutMs: 0 });
  }

  #record(channel: C): HistoryRecorder {
    const { name, kind } = channel;
    const recorder = this.ledger.recordHandler(name, channel, { mayRepeatLastValues: true });
    this.subscriber.subscribe(channel, recorder.onMessage, {
      name,
      ...(kind === 'state' ? { maxAgeMs: MAX_AGE_MS } : {}),
    });
    this.subscriber.on('gap', recorder.onGap);
    this.subscriber.on('expired', ({ message, subscription }) => {
      if (subscription === name) recorder.onExpired(message);
    });
    return recorder;
  }

  async #all(
    channels: readonly C[] = this.channels,
    wait: (recorder: HistoryRecorder, channel: C) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      channels.map((channel) => {
        const recorder = this.#recorders.get(channel);
        if (recorder === undefined) throw new Error(`There is no traffic on ${channel}.`);
        return wait(recorder, channel);
      }),
    );
  }

  async #publishAll(): Promise<void> {
    const pending: Promise<unknown>[] = [];
    while (!this.#isStopped) {
      for (const channel of this.channels)
        pending.push(this.ledger.publish(channel, KEY, (n) => this.#publish(channel, { key: KEY, n })));
      await sleep(PUBLISH_EVERY_MS);
    }
    await Promise.all(pending);
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    await this.#publishing;
  }
}
