// Bots that resume after a position: each later message comes once and in order, or a gap covers it.

import { eventLoopTurns } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { expect, it } from 'vitest';
import { defineChannel } from '../../channel/channel.ts';
import type { From } from '../../subscribe/from.ts';
import type { Gap } from '../../subscribe/status.ts';
import { isBeyond, type Position, positionOf } from '../../wire/position.ts';
import { Bot, bar } from './bars.fixture.ts';
import { BarsWorld } from './bars-world.fixture.ts';

const KEYS = ['a', 'b', 'c'] as const;
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const RUNS = 600;

interface Sent extends Position {
  readonly key: string;
}

/** Histories are so short that a position is often no longer covered. */
const channelOf = (random: Random) =>
  defineChannel('BARS', {
    kind: 'event',
    key: 'name',
    history: random.percent(70)
      ? { perKey: random.int(3, 12), channel: random.int(0, 25) }
      : random.int(1, 25),
    messages: { bar },
  });

class Run {
  readonly world = new BarsWorld();
  readonly random: Random;
  readonly channel: ReturnType<typeof channelOf>;
  readonly sent: Sent[] = [];
  #isInterleaved = false;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.channel = channelOf(this.random);
    const { link } = this.world;
    for (const name of ['subscribe', 'read', 'readHistory'] as const) {
      const call = link[name].bind(link) as (...args: unknown[]) => Promise<unknown>;
      Object.assign(link, {
        [name]: async (...args: unknown[]) => {
          await this.#step();
          const result = await call(...args);
          await this.#step();
          return result;
        },
      });
    }
  }

  async publish(max: number): Promise<void> {
    const { world, random, channel, sent } = this;
    for (let left = random.int(0, max); left > 0; left--) {
      if (random.percent(4)) await world.acquireAndReleaseLease(channel);
      const key = random.percent(60) ? 'a' : random.pick(KEYS);
      const { position } = await world.publisher.publish(channel, { name: key, n: sent.length });
      sent.push({ key, ...(position as Position) });
    }
  }

  async run() {
    const { world, random, channel } = this;
    await this.publish(30);
    const handled = random.int(0, this.sent.length);
    await this.publish(random.pick([0, 5, 40]));
    const keys = random.percent(70) || channel.history === 0 ? KEYS.slice(0, random.int(1, 3)) : undefined;
    const before = this.sent.slice(0, handled);
    const position = before.at(-1) ?? { epoch: 1, seq: 0 };
    const positions: Record<string, Position> = {};
    for (const { key, epoch, seq } of before)
      if (keys === undefined || keys.some((one) => one === key)) positions[key] = { epoch, seq };
    const byKey = keys !== undefined && random.percent(50);
    const from: From = byKey ? { positions } : { position: { epoch: position.epoch, seq: position.seq } };
    this.#isInterleaved = true;
    const bot = new Bot(world.subscriber, channel, keys, from);
    const starting = world.subscriber.startListening();
    await this.publish(6);
    for (let second = 0; second < 3; second++) {
      await eventLoopTurns(20);
      await world.clock.advance(1_000);
    }
    await world.whileTimePasses(starting);
    this.#isInterleaved = false;
    await this.publish(3);
    for (let second = 0; second < 4; second++) {
      await eventLoopTurns(40);
      await world.clock.advance(1_000);
    }
    const startOf = (key: string) => (byKey ? positions[key] : position);
    return { bot, keys, startOf };
  }

  async #step(): Promise<void> {
    if (!this.#isInterleaved) return;
    await this.publish(this.random.pick([0, 1, 4]));
    if (!this.random.percent(6)) return;
    const { subscribing } = this.world.connection;
    subscribing.disconnect();
    await this.publish(3);
    subscribing.reconnect();
  }
}

/** The end of an epoch is unknown, and so are later epochs of which the bot got nothing, before the last one. */
function covers(gap: Gap, message: Position, got: readonly Position[], last: number): boolean {
  const { cause, epoch = 0, from = 0, to = Number.POSITIVE_INFINITY, repaired } = gap;
  if (repaired) return false;
  if (epoch === message.epoch) return from <= message.seq && message.seq <= to;
  const isBetween = epoch < message.epoch && message.epoch < last;
  return cause === 'epoch' && isBetween && !got.some((position) => position.epoch === message.epoch);
}

it(`misses nothing silently, and repeats nothing, in ${RUNS} runs`, { timeout: 600_000 }, async () => {
  console.log(`SEED=${SEED}`);
  let [complete, gaps, stored] = [0, 0, 0];
  for (let number = 0; number < RUNS; number++) {
    const what = `SEED=${SEED + number}`;
    const run = new Run(SEED + number);
    const { bot, keys, startOf } = await run.run();
    const got = bot.messages.map((message) => positionOf(message) as Position);
    for (const [index, position] of got.entries()) {
      const previous = got[index - 1];
      if (previous !== undefined) expect(isBeyond(position, previous), what).toBe(true);
    }
    const names = new Set(got.map(({ epoch, seq }) => `${epoch}-${seq}`));
    for (const message of run.sent) {
      const start = startOf(message.key);
      const isWanted = keys === undefined || keys.includes(message.key as 'a');
      const isAfter = start === undefined || isBeyond(message, start);
      const has = names.has(`${message.epoch}-${message.seq}`);
      if (!isWanted || !isAfter)
        expect(has, `${what}: ${JSON.stringify(message)} was not asked for`).toBe(false);
      // A key without a position begins with its oldest stored message, whichever that is.
      else if (!has && start !== undefined)
        expect(
          bot.gaps.some((gap) => covers(gap, message, got, run.sent.at(-1)?.epoch ?? 0)),
          `${what}: ${JSON.stringify(message)}`,
        ).toBe(true);
    }
    if (bot.gaps.length === 0) complete++;
    gaps += bot.gaps.filter(({ cause }) => cause === 'loss').length;
    stored += bot.stored;
  }
  expect([complete > RUNS / 20, gaps > RUNS / 20, stored > RUNS], `${complete} ${gaps} ${stored}`).toEqual([
    true,
    true,
    true,
  ]);
});
