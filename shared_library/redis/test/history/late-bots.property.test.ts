// 200 bars for a late bot while bars are published: seeded interleavings in memory, with every step under control.

import { eventLoopTurns } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { expect, it } from 'vitest';
import { Bot, barsChannel, range } from './bars.fixture.ts';
import { BarsWorld } from './bars-world.fixture.ts';

const KEYS = ['AAPL/1m', 'MSFT/1m', 'TSLA/1m'] as const;
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const RUNS = 1_000;

/** Publishes, and cuts the link, before and after each call of the subscriber to the server. */
class Interleaving {
  readonly world = new BarsWorld();
  readonly channel = barsChannel('BARS', 100_000);
  readonly #random: Random;
  #isStarted = false;
  /** How many bars of the first key had been published when the bot subscribed, and when it got its first bar. */
  atSubscription = 0;
  atFirst = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    const { link } = this.world;
    link.subscribe = this.#around(link.subscribe.bind(link));
    link.read = this.#around(link.read.bind(link));
    link.readHistory = this.#around(link.readHistory.bind(link));
  }

  get count(): number {
    return this.world.sent('AAPL/1m');
  }

  async publishSome(max: number): Promise<void> {
    for (let left = this.#random.int(0, max); left > 0; left--) {
      const key = this.#random.percent(60) ? KEYS[0] : this.#random.pick(KEYS);
      await this.world.send(this.channel, key, 1);
    }
  }

  async run(): Promise<Bot> {
    const { world } = this;
    await this.publishSome(this.#random.percent(50) ? 450 : 30);
    if (this.#random.percent(50)) await world.subscriber.startListening();
    // Another bot of the same channel can be live already.
    if (this.#random.percent(50))
      new Bot(world.subscriber, this.channel, this.#random.percent(50) ? KEYS : undefined);
    if (this.#random.percent(50)) await world.subscriber.startListening();
    this.#isStarted = true;
    this.atSubscription = this.count;
    const keys = this.#random.percent(50) ? [KEYS[0]] : KEYS;
    const onFirst = () => {
      this.atFirst ||= this.count;
    };
    const bot = new Bot(world.subscriber, this.channel, keys, { last: 200 }, onFirst);
    const starting = world.subscriber.startListening();
    await this.publishSome(20);
    world.connection.subscribing.reconnect();
    for (let second = 0; second < 5; second++) await world.clock.advance(1_000);
    await world.whileTimePasses(starting);
    this.#isStarted = false;
    await this.publishSome(5);
    await world.send(this.channel, KEYS[0], 1);
    for (let second = 0; second < 100 && bot.numbers(KEYS[0]).at(-1) !== this.count; second++) {
      await eventLoopTurns(20);
      await world.clock.advance(1_000);
    }
    return bot;
  }

  #around<A extends unknown[], R>(call: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return async (...args) => {
      await this.#step();
      const result = await call(...args);
      await this.#step();
      return result;
    };
  }

  /** A cut link loses what is published until it is back. */
  async #step(): Promise<void> {
    if (!this.#isStarted) return;
    const { subscribing } = this.world.connection;
    await this.publishSome(this.#random.pick([0, 2, 10]));
    if (!this.#random.percent(8)) return;
    subscribing.disconnect();
    await this.publishSome(3);
    subscribing.reconnect();
  }
}

it(`gets the last 200 and every later one once, in order, in ${RUNS} interleavings`, {
  timeout: 600_000,
}, async () => {
  console.log(`SEED=${SEED}`);
  let stored = 0;
  let live = 0;
  for (let run = 0; run < RUNS; run++) {
    const interleaving = new Interleaving(SEED + run);
    const bot = await interleaving.run();
    const numbers = bot.numbers(KEYS[0]);
    const [first = Number.NaN] = numbers;
    const what = `SEED=${SEED + run}`;
    expect(numbers, what).toEqual(range(first, interleaving.count));
    // The last 200 at some instant between the subscription and the first delivery.
    expect(first, what).toBeLessThanOrEqual(Math.max(1, interleaving.atFirst - 199));
    expect(first, what).toBeGreaterThanOrEqual(Math.max(1, interleaving.atSubscription - 199));
    expect(
      bot.gaps.filter(({ repaired }) => !repaired),
      what,
    ).toEqual([]);
    const seqs = bot.messages.map(({ seq = 0 }) => seq);
    expect(seqs, what).toEqual([...seqs].sort((a, b) => a - b));
    stored += bot.stored;
    live += bot.messages.length - bot.stored;
  }
  expect([stored > RUNS * 10, live > RUNS]).toEqual([true, true]);
});
