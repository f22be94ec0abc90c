// Gateways as processes, on a venue that sends its last trades again: after a takeover no trade is on TRADES twice,
// none is missing without a gap, and prices do not go back.

import { setTimeout as sleep } from 'node:timers/promises';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterEach, expect, it, onTestFailed, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { startVenueServer, type VenueServer } from '../feeds/venue-server.fixture.ts';
import { TradeBot } from '../trades/trade-bot.fixture.ts';
import type { GatewayProcess } from './child-processes.fixture.ts';
import { GatewayTestbed } from './gateway-testbed.fixture.ts';

// Processes take a while to start on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MAPPING = await bundledProgram(new URL('./plain-mapping.fixture.ts', import.meta.url));
const SYMBOL = 'MSFT';

interface Trade {
  readonly price: number;
  readonly at: number;
}

/**
 * Trades with the prices 1, 2, ... every few milliseconds. To each new client, it sends those of the last 10 s again,
 * which is longer than a takeover takes.
 */
class Venue {
  readonly trades: Trade[] = [];
  /** How many frames of old trades it has sent. */
  framesSentAgain = 0;
  readonly #hasIds: boolean;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>[] = [];
  #server: VenueServer | undefined;

  constructor(hasIds: boolean) {
    this.#hasIds = hasIds;
  }

  /** @returns its address */
  async start(): Promise<string> {
    this.#server = await startVenueServer({
      onConnection: (socket) => void this.#running.push(this.#serve(socket)),
    });
    this.#running.push(this.#trade());
    return this.#server.url;
  }

  drop(): void {
    for (const socket of this.#server?.sockets.all ?? []) socket.terminate();
  }

  /** Trades no more. Resolves when all clients have been sent everything. */
  async end(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#running);
  }

  async #trade(): Promise<void> {
    for (let price = 1; !this.#ended.signal.aborted; price++) {
      this.trades.push({ price, at: Date.now() });
      await sleep(5);
    }
  }

  async #serve(socket: WebSocket): Promise<void> {
    const now = this.trades.length;
    let next = Math.max(0, now - 2_000);
    while (socket.readyState === socket.OPEN) {
      const frame = this.trades.slice(next, next + 10);
      if (frame.length === 0 && this.#ended.signal.aborted) break;
      if (frame.length > 0) socket.send(JSON.stringify(frame.map((trade) => this.#itemOf(trade))));
      if (next < now) this.framesSentAgain++;
      next += frame.length;
      await sleep(5);
    }
  }

  #itemOf({ price, at }: Trade): object {
    const id = this.#hasIds ? { trade_id: String(price) } : {};
    return { kind: 'trade', symbol: SYMBOL, price, size: 1, timestamp: at, ...id };
  }
}

let testbed: GatewayTestbed;
let bot: TradeBot;
let venue: Venue;
let gateways: GatewayProcess[];

afterEach(async () => {
  await venue?.end();
  await bot?.[Symbol.asyncDispose]();
  await testbed?.[Symbol.asyncDispose]();
});

async function start(hasIds: boolean): Promise<void> {
  testbed = await GatewayTestbed.start();
  bot = await TradeBot.start(testbed.url, [SYMBOL]);
  venue = new Venue(hasIds);
  const settings = { FEED: 'websocket', WEBSOCKET_URL: await venue.start(), WEBSOCKET_MAPPING: MAPPING };
  gateways = [testbed.spawnGateway(settings), testbed.spawnGateway(settings)];
  onTestFailed(() => {
    for (const { pid, lines } of gateways)
      console.log(`Gateway ${pid}:\n${lines.all.map((line) => JSON.stringify(line)).join('\n')}`);
  });
  await Promise.all(gateways.map((gateway) => gateway.waitForRole('standby')));
  await expect.poll(() => bot.prices.length).toBeGreaterThan(100);
}

function inRole(role: string): GatewayProcess {
  const found = gateways.find((gateway) => gateway.role === role);
  if (found === undefined) throw new Error(`No gateway is ${role}.`);
  return found;
}

const newestEpoch = () => bot.messages.all.at(-1)?.epoch ?? 0;

/** Waits until a later holder of the lease publishes what happens from now on. */
async function laterHolder(epoch: number): Promise<void> {
  const known = venue.trades.length;
  await bot.messages.until(
    (message) =>
      (message.epoch ?? 0) > epoch && message.message_type === 'trade' && message.data.price > known,
  );
}

/** Every trade since the first published one is there once, or a gap reports its time. */
async function expectOnceOrReported(): Promise<void> {
  await venue.end();
  await expect.poll(() => bot.prices.at(-1)).toBe(venue.trades.length);
  const { prices } = bot;
  const published = new Set(prices);
  expect(prices.length, 'a trade was published twice').toBe(published.size);
  const gaps = bot.of('trade_gap');
  const first = Math.min(...prices);
  const unreported = venue.trades.filter(
    ({ price, at }) =>
      price > first &&
      !published.has(price) &&
      !gaps.some(({ from, to }) => (from === undefined || from <= at) && at <= to),
  );
  expect(unreported).toEqual([]);
  const { priceTimes } = bot;
  await expect.poll(() => priceTimes.at(-1)).toBe(venue.trades.at(-1)?.at);
  expect(priceTimes).toEqual(priceTimes.toSorted((a, b) => a - b));
}

it.each([true, false])(
  'a gateway is killed while the venue sends its last trades again, with identifiers: %s',
  async (hasIds) => {
    await start(hasIds);
    const [active, standby] = [inRole('active'), inRole('standby')];
    const sentAgain = venue.framesSentAgain;
    venue.drop();
    await expect.poll(() => venue.framesSentAgain).toBeGreaterThan(sentAgain + 2);
    await active.kill();
    const epoch = newestEpoch();
    await standby.waitForRole('active');
    await laterHolder(epoch);
    await expectOnceOrReported();
    // The gateway may have been killed before it reported the interruption.
    const reasons = bot.of('trade_gap').map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason !== 'interrupted')).toEqual(['start', 'start']);
    expect(bot.gaps.all).toContain('epoch');
  },
);

it('a gateway that was stopped for longer than its lease publishes nothing more', async () => {
  await start(true);
  const [stopped, standby] = [inRole('active'), inRole('standby')];
  const epoch = newestEpoch();
  stopped.signal('SIGSTOP');
  await standby.waitForRole('active');
  await laterHolder(epoch);
  const from = bot.messages.all.findIndex((message) => (message.epoch ?? 0) > epoch);
  const lines = stopped.lines.all.length;
  stopped.signal('SIGCONT');
  await stopped.waitForRole('standby', lines);
  await laterHolder(epoch);
  expect(new Set(bot.messages.all.slice(from).map((message) => message.epoch)).size).toBe(1);
  await expectOnceOrReported();
});
