// Traffic on several channels of a cluster, with a ledger of all messages and the states of all links.

import { setTimeout as sleep } from 'node:timers/promises';
import { type CheckedHistory, checkHistory } from '@tickbus/fault-kit/check';
import { type HistoryRecorder, Ledger } from '@tickbus/fault-kit/ledger';
import type { ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger as logger } from '@tickbus/test-kit';
import { expect } from 'vitest';
import { z } from 'zod';
import {
  defineChannel,
  RedisPublisher,
  type RedisPublisherOptions,
  RedisSubscriber,
  type Verdict,
} from '../../../index.ts';

const messages = { note: z.object({ key: z.string(), n: z.number() }) };

/** With three masters of as many slots, the first three share a node, and the others are on one each. */
export const FILLS = defineChannel('CLUSTER_FILLS', { kind: 'event', key: 'key', history: 20_000, messages });
export const ALERTS = defineChannel('CLUSTER_ALERTS', { kind: 'event', key: 'key', messages });
export const BONDS = defineChannel('BONDS', { kind: 'state', key: 'key', messages });
export const TICKS = defineChannel('CLUSTER_TICKS', { kind: 'state', key: 'key', messages });
export const ORDERS = defineChannel('CLUSTER_ORDERS', { kind: 'command', key: 'key', messages });
export const LEASED = defineChannel('CLUSTER_LEASED', {
  kind: 'event',
  key: 'key',
  history: 20_000,
  messages,
});

type TrafficChannel = typeof FILLS | typeof BONDS | typeof ORDERS;

export const CHANNELS: readonly TrafficChannel[] = [FILLS, ALERTS, BONDS, TICKS, ORDERS];

const PUBLISH_EVERY_MS = 5;
/** A value that is older is not fresh. */
const MAX_AGE_MS = 5_000;

export class ClusterTraffic implements AsyncDisposable {
  readonly ledger = new Ledger();
  readonly subscriber: RedisSubscriber;
  /** The channels whose links have reported a state since the last `forget`. */
  readonly linkChanges = new Set<string>();
  /** The channels with a changed verdict since the last `forget`. */
  readonly verdictChanges = new Set<string>();
  readonly channels: readonly TrafficChannel[];
  readonly #recorders: readonly HistoryRecorder[];
  readonly #publisher: RedisPublisher;
  #isStopped = false;
  #publishing: Promise<void> = Promise.resolve();

  constructor(
    cluster: LocalCluster,
    channels = CHANNELS,
    options: Pick<RedisPublisherOptions, 'lease'> = {},
  ) {
    const { url } = cluster;
    this.channels = channels;
    this.#publisher = new RedisPublisher({ url, logger, sender: 'publisher', ...options });
    this.subscriber = new RedisSubscriber({ url, logger, freshness: false });
    this.#recorders = channels.map((channel) => {
      const recorder = this.ledger.recordHandler(channel.name, channel);
      const bounds = channel.kind === 'state' ? { maxAgeMs: MAX_AGE_MS } : {};
      const newest = { epoch: 0, seq: 0 };
      const onMessage = (message: Parameters<typeof recorder.onMessage>[0]) => {
        const { epoch = 0, seq = 0, snapshot } = message;
        const isNew = epoch > newest.epoch || (epoch === newest.epoch && seq > newest.seq);
        // After a reconnect, a `state` channel gives the last values again. Live messages must never come again.
        if (snapshot && !isNew) return;
        if (isNew) Object.assign(newest, { epoch, seq });
        recorder.onMessage(message);
      };
      this.subscriber.subscribe(channel, onMessage, bounds);
      this.subscriber.on('gap', recorder.onGap);
      return recorder;
    });
    this.subscriber.on('status', (status) => {
      if (LINK_STATES.has(status.type) && 'channel' in status) this.linkChanges.add(status.channel);
    });
    this.subscriber.on('verdict', ({ channel }) => this.verdictChanges.add(channel));
  }

  /** Resolves when every channel has had its first messages. */
  async start(): Promise<void> {
    await this.#publisher.connect();
    await this.subscriber.startListening();
    for (const recorder of this.#recorders) recorder.expectFromHere();
    this.#publishing = this.#publishAll();
    await Promise.all(this.#recorders.map((recorder) => recorder.until(({ seen }) => seen.length >= 50)));
    this.forget();
  }

  forget(): void {
    this.linkChanges.clear();
    this.verdictChanges.clear();
  }

  /** Resolves when a message that is published after this call has been handled on each of these channels. */
  async untilLive(channels: readonly TrafficChannel[] = this.channels): Promise<void> {
    const from = this.ledger.next;
    const recorders = this.#recorders.filter((_, index) =>
      channels.includes(this.channels[index] as TrafficChannel),
    );
    await Promise.all(
      recorders.map((recorder) => recorder.until(({ seen }) => (seen.at(-1)?.n ?? -1) >= from)),
    );
  }

  /** Resolves when the value of each `state` channel has this verdict. */
  async untilVerdict(verdict: Verdict, channels: readonly TrafficChannel[] = this.channels): Promise<void> {
    const states = channels.filter(({ kind }) => kind === 'state');
    while (states.some((channel) => this.subscriber.latest(channel, 'A').verdict !== verdict))
      await sleep(10);
  }

  /** Stops publishing, and checks the whole history once the handlers have everything. */
  async finish(): Promise<CheckedHistory> {
    await this.untilLive();
    this.#isStopped = true;
    await this.#publishing;
    await Promise.all(
      this.#recorders.map((recorder) => {
        const { channel } = recorder.history;
        const last = this.ledger.sent.findLast(
          (sent) => sent.channel === channel && sent.outcome === 'accepted',
        );
        return recorder.until(({ seen }) => (seen.at(-1)?.n ?? -1) >= (last?.n ?? 0));
      }),
    );
    return checkHistory(this.ledger.sent, this.ledger.histories);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#publishing;
    await Promise.all([this.#publisher.close(), this.subscriber.close({ timeoutMs: 0 })]);
  }

  async #publishAll(): Promise<void> {
    const pending: Promise<unknown>[] = [];
    while (!this.#isStopped) {
      for (const channel of this.channels)
        pending.push(
          this.ledger.publish(channel, 'A', (n) => this.#publisher.publish(channel, { key: 'A', n })),
        );
      await sleep(PUBLISH_EVERY_MS);
    }
    await Promise.all(pending);
  }
}

const LINK_STATES: ReadonlySet<string> = new Set([
  'stale',
  'disconnected',
  'reconnecting',
  'connected',
  'failed',
]);

/** Nothing was lost silently, delivered twice, reordered or made up. */
export function expectNoHarm({ figures, problems }: CheckedHistory): void {
  expect(problems).toEqual([]);
  expect(figures).toMatchObject({
    silent_lost: 0,
    duplicates: 0,
    out_of_order: 0,
    made_up: 0,
    inexact: 0,
  });
}

/** The channels that this node serves. */
export async function channelsOf(cluster: LocalCluster, node: ClusterNode): Promise<TrafficChannel[]> {
  const owners = await Promise.all(CHANNELS.map(({ name }) => cluster.ownerOf(name)));
  return CHANNELS.filter((_, index) => owners[index] === node);
}
