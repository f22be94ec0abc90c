// Builders that take over from each other, restart, and lose messages of BARS: no revision is used twice, no bar is
// missing, and the last revision of a complete bar is right.

import { Random } from '@tickbus/test-kit/random';
import type { Bar } from 'tickbus';
import { expect, it } from 'vitest';
import { type Arrival, BarBuilder, type BuiltBar } from '../../bars/bar-builder.ts';
import { Publications } from '../../bars/publications.ts';
import { ALL_DAY, Calendar } from '../../intervals/calendar.ts';
import { type Interval, parseInterval } from '../../intervals/interval.ts';
import {
  feed,
  isSame,
  MARKET_START,
  type MarketMessage,
  RandomMarket,
  recomputed,
} from './random-market.fixture.ts';

const NAMES = ['1s', '1m', '1h'];
const LENGTHS_MS = [1_000, 60_000, 3_600_000];
const INTERVALS = NAMES.map((name) => parseInterval(name) as Interval);
const REVISE_MS = 300_000;
const SEED = Math.floor(Math.random() * 2 ** 31);
const RUNS = 15;
const TIMEOUT_MS = 300_000;

interface Told {
  readonly message: MarketMessage;
  readonly arrival: Arrival;
}

/** The channel BARS: everything that was published. */
type Bus = Bar[];

class Process {
  readonly publications = new Publications();
  readonly #bus: Bus;
  readonly #kept: number;
  readonly #builder = new BarBuilder({
    intervals: INTERVALS,
    calendar: new Calendar('UTC', ALL_DAY),
    graceMs: 500,
    reviseMs: REVISE_MS,
  });
  /** How far this process has read the bus. */
  #read: number;
  holds = false;
  #now = MARKET_START;

  /**
   * @param kept how many bars the server keeps
   * @param stored the trades that it keeps
   */
  constructor(bus: Bus, kept: number, stored: readonly Told[], hasAll = true) {
    this.#kept = kept;
    this.#bus = bus;
    this.#read = bus.length;
    // Only all stored trades reach back to the start of the market.
    if (hasAll) this.#builder.start(MARKET_START);
    for (const { message, arrival } of stored) feed(this.#builder, message, arrival);
    const monotonic = stored.at(-1)?.arrival.monotonic;
    if (monotonic === undefined) return;
    for (const bar of this.#builder.takeDue(monotonic)) this.publications.built(bar);
    this.#now = stored.at(-1)?.arrival.at ?? MARKET_START;
    this.publications.start(bus.slice(-kept), bus.length > kept, this.#now);
  }

  receive({ message, arrival }: Told): void {
    this.#now = arrival.at;
    feed(this.#builder, message, arrival);
  }

  tick(monotonic: number): void {
    for (const bar of this.#builder.takeDue(monotonic)) this.publications.built(bar);
    const settled = this.#builder.settle(monotonic);
    if (settled !== undefined) this.publications.forget(settled);
  }

  /** Reads a part of what was published. @param isLost the messages are lost, which is reported */
  follow(count: number, isLost: boolean): void {
    if (this.holds) return;
    for (const bar of this.#bus.slice(this.#read, this.#read + count))
      if (!isLost) this.publications.seen(bar, false);
    if (isLost && this.#read < this.#bus.length) this.publications.doubt(this.#now);
    this.#read = Math.min(this.#bus.length, this.#read + count);
  }

  gain(): void {
    this.holds = true;
    // The subscriber reports what it can no longer read.
    if (this.#read < this.#bus.length - this.#kept) this.publications.doubt(this.#now);
    for (const bar of this.#bus.slice(-this.#kept)) this.publications.seen(bar, false);
  }

  lose(): void {
    this.holds = false;
    this.#read = this.#bus.length;
  }

  publish(random: Random | undefined): void {
    for (const draft of this.publications.drafts(20)) {
      const outcome = random?.int(1, 100) ?? 100;
      if (outcome <= 5) return;
      if (outcome <= 10) {
        if (outcome <= 7) this.#bus.push(draft.message);
        this.publications.unsettled(draft);
        continue;
      }
      this.#bus.push(draft.message);
      this.publications.seen(draft.message, true);
    }
  }
}

it.each([
  ['all bars', Number.POSITIVE_INFINITY],
  ['the last 50 bars', 50],
])(
  `holds with ${RUNS} random programs and a server that keeps %s, seed ${SEED}`,
  { timeout: TIMEOUT_MS },
  (_, kept) => {
    let revisions = 0;
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(SEED + run);
      const market = new RandomMarket(random, { messages: 800, maxLateMs: 60_000, changes: 15, moves: 0 });
      const bus: Bus = [];
      const told: Told[] = [];
      const processes = [new Process(bus, kept, []), new Process(bus, kept, [])];
      const pick = () => processes[random.int(0, 1)] as Process;
      for (const message of market.messages()) {
        const monotonic = market.now - MARKET_START;
        told.push({ message, arrival: { monotonic, at: market.now } });
        for (const process of processes) process.receive(told.at(-1) as Told);
        if (random.percent(50)) pick().tick(monotonic);
        if (random.percent(50)) pick().follow(random.int(1, 30), random.percent(3));
        const holder = processes.find(({ holds }) => holds);
        if (random.percent(4)) {
          holder?.lose();
          pick().gain();
        } else if (random.percent(1)) {
          // kill -9. All stored trades are enough for all bars. With a part of them, the other process must be there.
          const index = random.int(0, 1);
          processes[index] =
            index === 0 ? new Process(bus, kept, told) : new Process(bus, kept, told.slice(-50), false);
        } else if (random.percent(50)) holder?.publish(random);
      }
      const last = processes[0] as Process;
      if (!last.holds) last.gain();
      last.tick(market.now - MARKET_START + 2 * 3_600_000);
      while (last.publications.waiting > 0) last.publish(undefined);
      expect(last.publications.lost).toBe(0);
      expectEachRevisionOnce(bus);
      if (kept >= bus.length) expectRightBars(bus, market);
      revisions += bus.filter(({ revision }) => revision > 0).length;
    }
    expect(revisions).toBeGreaterThan(RUNS);
  },
);

const idOf = ({ symbol, interval, start }: Bar) => `${interval}/${symbol}/${start}`;

function expectEachRevisionOnce(bus: Bus): void {
  const newest = new Map<string, number>();
  for (const bar of bus) {
    expect(bar.revision, JSON.stringify(bar)).toBeGreaterThan(newest.get(idOf(bar)) ?? -1);
    newest.set(idOf(bar), bar.revision);
  }
}

function expectRightBars(bus: Bus, market: RandomMarket): void {
  const published = new Map(bus.map((bar) => [idOf(bar), bar]));
  for (const [index, name] of NAMES.entries()) {
    for (const [key, expected] of recomputed(market.trades, LENGTHS_MS[index] ?? 0)) {
      const bar = published.get(`${name}/${key}`);
      if (bar === undefined) {
        expect(expected.prices, key).toBeUndefined();
        continue;
      }
      const { open, high, low, close, ...rest } = bar;
      const prices =
        bar.trades === 0 && expected.prices === undefined ? undefined : { open, high, low, close };
      const built: BuiltBar = { ...rest, prices };
      if (bar.complete && !isSame(built, expected)) expect({ key, bar }).toEqual({ key, bar: expected });
    }
  }
  for (const bar of published.values())
    if (
      bar.complete &&
      !market.trades.some(
        ({ symbol, timestamp }) => symbol === bar.symbol && timestamp >= bar.start && timestamp < bar.end,
      )
    )
      expect(bar).toMatchObject({ trades: 0, volume: 0 });
}
