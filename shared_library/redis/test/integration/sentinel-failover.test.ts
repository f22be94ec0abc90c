// Failovers of a real Sentinel group: how soon publisher and subscriber are live again, and that no loss is silent.

import { setTimeout as sleep } from 'node:timers/promises';
import { checkHistory } from '@tickbus/fault-kit/check';
import { Ledger } from '@tickbus/fault-kit/ledger';
import { type ProxiedServer, SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { silentLogger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { defineChannel, RedisPublisher, RedisSubscriber } from '../../index.ts';

const SEED = 1;
const DOWN_AFTER_MS = 1_000;
const LIVE_AGAIN_MS = DOWN_AFTER_MS + 4_000;
const PUBLISH_EVERY_MS = 5;
const TEST_TIMEOUT_MS = 40_000;

const messages = { note: z.object({ key: z.string(), n: z.number() }) };
const CHANNELS = [
  defineChannel('SENTINEL_TICKS', { kind: 'state', key: 'key', messages }),
  defineChannel('SENTINEL_FILLS', { kind: 'event', key: 'key', history: 20_000, messages }),
  defineChannel('SENTINEL_ALERTS', { kind: 'event', key: 'key', messages }),
] as const;

/** Traffic on all channels while the master fails. */
class Traffic {
  readonly ledger = new Ledger();
  readonly recorders;
  readonly #publisher: RedisPublisher;
  readonly #subscriber: RedisSubscriber;
  #isStopped = false;
  #burst: Promise<void> = Promise.resolve();

  constructor(group: SentinelGroup) {
    this.#publisher = new RedisPublisher({ url: group.url, logger: silentLogger, sender: 'publisher' });
    this.#subscriber = new RedisSubscriber({ url: group.url, logger: silentLogger, freshness: false });
    this.recorders = CHANNELS.map((channel) => {
      const recorder = this.ledger.recordHandler(channel.name, channel);
      this.#subscriber.subscribe(channel, recorder.onMessage);
      this.#subscriber.on('gap', recorder.onGap);
      return recorder;
    });
    onTestFinished(async () => {
      this.#isStopped = true;
      await this.#burst;
      await Promise.all([this.#publisher.close(), this.#subscriber.close()]);
    });
  }

  async start(): Promise<void> {
    await this.#publisher.connect();
    await this.#subscriber.startListening();
    for (const recorder of this.recorders) recorder.expectFromHere();
    this.#burst = this.#publishAll();
  }

  async untilHandled(count: number): Promise<void> {
    await Promise.all(this.recorders.map((recorder) => recorder.until(({ seen }) => seen.length >= count)));
  }

  /** Resolves when a message that was published after this call has been handled on every channel. */
  async untilLive(): Promise<void> {
    const from = this.ledger.next;
    await Promise.all(
      this.recorders.map((recorder) => recorder.until(({ seen }) => (seen.at(-1)?.n ?? -1) >= from)),
    );
  }

  /** Stops publishing. Resolves when the handlers have everything. */
  async finish() {
    await this.untilLive();
    this.#isStopped = true;
    await this.#burst;
    const last = CHANNELS.map(({ name }) =>
      this.ledger.sent.findLast((one) => one.channel === name && one.outcome === 'accepted'),
    );
    await Promise.all(
      this.recorders.map((recorder, index) =>
        recorder.until(({ seen }) => (seen.at(-1)?.n ?? -1) >= (last[index]?.n ?? 0)),
      ),
    );
    return checkHistory(this.ledger.sent, this.ledger.histories);
  }

  async #publishAll(): Promise<void> {
    const pending: Promise<unknown>[] = [];
    while (!this.#isStopped) {
      for (const channel of CHANNELS)
        pending.push(
          this.ledger.publish(channel, 'A', (n) => this.#publisher.publish(channel, { key: 'A', n })),
        );
      await sleep(PUBLISH_EVERY_MS);
    }
    await Promise.all(pending);
  }
}

async function startGroup(args: readonly string[] = []): Promise<SentinelGroup> {
  const group = await SentinelGroup.start({ random: new Random(SEED), downAfterMs: DOWN_AFTER_MS, args });
  onTestFinished(() => group[Symbol.asyncDispose]());
  return group;
}

type FaultInjection = (group: SentinelGroup, master: ProxiedServer) => Promise<void> | void;

const FAULTS: readonly (readonly [string, FaultInjection])[] = [
  ['killed', (_, { server }) => server.kill()],
  ['stopped (SIGSTOP)', (_, { server }) => server.pause()],
  ['isolated', (group, master) => group.isolate(master)],
  [
    'killed before its replicas had its last messages',
    async (group, master) => {
      await group.lag(master);
      await sleep(300);
      await master.server.kill();
    },
  ],
];

describe('a failover by Sentinel', () => {
  it.each(FAULTS)(
    'brings publisher and subscriber back in time when the master is %s, and loses nothing silently',
    async (_, inject) => {
      const group = await startGroup();
      const master = await group.master();
      const traffic = new Traffic(group);
      await traffic.start();
      await traffic.untilHandled(100);
      await inject(group, master);
      const failedAt = performance.now();
      const promoted = await group.untilMaster((server) => server !== master);
      await traffic.untilLive();
      const tookMs = performance.now() - failedAt;
      const { figures, problems } = await traffic.finish();
      console.log(
        _,
        Math.round(tookMs),
        JSON.stringify(figures),
        JSON.stringify(traffic.recorders.map(({ history }) => history.gaps.map(({ cause }) => cause))),
      );
      expect(problems).toEqual([]);
      expect(figures).toMatchObject({
        silent_lost: 0,
        duplicates: 0,
        out_of_order: 0,
        made_up: 0,
        inexact: 0,
      });
      expect(promoted).not.toBe(master);
      for (const { history } of traffic.recorders)
        expect(history.gaps.map(({ cause }) => cause)).toContain('epoch');
      expect(tookMs).toBeLessThan(LIVE_AGAIN_MS);
    },
    TEST_TIMEOUT_MS,
  );
});
