// Trades that are no price: cancelled, corrected, or excluded by their conditions. Simulated broker, official client,
// gateway, real Redis, subscriber.

import type { BandEvent, CancelEvent, CorrectionEvent, TradeEvent } from '@tickbus/capture';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { type InstrumentStatus, type Price, systemClock } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it } from 'vitest';
import { codecFor } from '../../simulated-broker/codec.ts';
import type { GatewayOptions } from '../gateway-options.ts';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { AT, collect, quote, ReceivedValues, SILENT, trade } from './gateway.fixture.ts';

const testbed = useEmbeddedGateways();

const BOUNDS = { maxAgeMs: 30_000, maxQuietMs: 3_600_000 };
const LATER = AT + 60_000;

/** The nth trade: its price is 100 + n, its identifier n, and its time n ms after `AT`. */
function numbered(n: number, fields: Partial<TradeEvent> = {}): TradeEvent {
  return { ...(trade(100 + n) as TradeEvent), trade_id: String(n), timestamp: AT + n, ...fields };
}

function cancel(n: number): CancelEvent {
  const original = { trade_id: String(n), price: 100 + n, size: 10 };
  return { kind: 'cancel', symbol: 'AAPL', original, reason: 'cancel', timestamp: LATER };
}

/** A gateway of AAPL, and a bot. */
async function startBot(options: Partial<GatewayOptions> = {}) {
  const gateway = await testbed.startGateway({ symbols: ['AAPL'], ...options });
  await testbed.nextStatus('live');
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['AAPL'] });
  const instruments = new ReceivedValues<InstrumentStatus>();
  collect(bot, CHANNELS.INSTRUMENT_STATUS, ({ data }) => instruments.add(data));
  await bot.startListening();
  return {
    gateway,
    instruments,
    verdict: () => bot.latest(CHANNELS.PRICE_DATA, 'AAPL', BOUNDS).verdict,
    requireFresh: (): Price => bot.requireFresh(CHANNELS.PRICE_DATA, 'AAPL', BOUNDS).data,
    /** Resolves when the fresh price has these fields. */
    async reaches(fields: Partial<Price>): Promise<void> {
      await expect
        .poll(() => {
          const { message, verdict, reason } = bot.latest(CHANNELS.PRICE_DATA, 'AAPL', BOUNDS);
          return { verdict, reason, ...message?.data };
        })
        .toMatchObject({ verdict: 'fresh', ...fields });
    },
  };
}

it('takes a cancelled trade back that was the price', async () => {
  const { reaches, requireFresh, gateway } = await startBot();
  testbed.market.push(numbered(1), numbered(2), numbered(3));
  await reaches({ price: 103 });
  testbed.market.push(cancel(3));
  await reaches({ price: 102, cause: 'correction', trade_time: AT + 2, timestamp: LATER });
  expect(requireFresh().size).toBeUndefined();
  // Not the price, so it causes no message; then it is skipped.
  testbed.market.push(cancel(1), cancel(99), cancel(2));
  await expect.poll(() => gateway.stats.dropped.unmatched).toBe(1);
  expect(gateway.stats.dropped.unchanged).toBe(1);
});

it('has no price if the only trade is cancelled, unless a quote gives a midpoint', async () => {
  const { reaches, requireFresh, verdict } = await startBot();
  testbed.market.push(numbered(1));
  await reaches({ price: 101 });
  testbed.market.push(cancel(1));
  await expect.poll(verdict).toBe('no_price');
  expect(requireFresh).toThrow(expect.objectContaining({ verdict: 'no_price' }));
  testbed.market.push(quote(99, 101));
  await reaches({ price: 100, source: 'midpoint' });
  testbed.market.push(numbered(2));
  await reaches({ price: 102, source: 'trade' });
  testbed.market.push(cancel(2));
  await reaches({ price: 100, source: 'midpoint', cause: 'correction' });
  expect(requireFresh().trade_time).toBeUndefined();
});

it('publishes a corrected trade that was the price', async () => {
  const { reaches } = await startBot();
  testbed.market.push(numbered(1), numbered(2));
  await reaches({ price: 102 });
  const { original } = cancel(2);
  const corrected = { trade_id: '12', price: 90, size: 5 };
  const correction: CorrectionEvent = {
    kind: 'correction',
    symbol: 'AAPL',
    original,
    corrected,
    timestamp: LATER,
  };
  testbed.market.push(correction);
  await reaches({ price: 90, cause: 'correction', trade_time: AT + 2 });
  // The correction has an identifier of its own.
  testbed.market.push({ ...cancel(12), original: corrected });
  await reaches({ price: 101, cause: 'correction', trade_time: AT + 1 });
});

/** Conditions of tape C that exclude a trade from the last price. */
const EXCLUDING = ['C', 'G', 'H', 'I', 'M', 'N', 'P', 'Q', 'R', 'U', 'V', 'W', 'Z', '4', '7', '9'];

/** Those of the other tapes, which have tables of their own. */
const EXCLUDING_ON = {
  A: ['B', 'C', 'H', 'I', 'M', 'N', 'P', 'Q', 'R', 'U', 'V', 'Z', '4', '7', '9'],
  B: ['B', 'C', 'H', 'I', 'M', 'N', 'P', 'Q', 'R', 'U', 'V', 'Z', '4', '7', '9'],
  O: ['C', 'I', 'N', 'P', 'R', 'U', 'W'],
};
const MSGPACK = codecFor('application/msgpack');

it('leaves the price as it is for a trade with each condition that excludes it', async () => {
  const { reaches, gateway } = await startBot();
  testbed.market.push(numbered(1));
  await reaches({ price: 101 });
  const excluded = EXCLUDING.map((code, n) => numbered(2 + n, { price: 1, conditions: ['@', code] }));
  testbed.market.push(...excluded, numbered(50, { conditions: ['@', 'F', 'T'] }));
  await reaches({ price: 150, cause: 'trade' });
  await testbed.prices.until(({ data }) => data.price === 150);
  // The first price may have been a last value, which is not collected.
  expect(testbed.prices.all.map(({ data }) => data.price)).not.toContain(1);
  expect(gateway.stats.dropped.excluded).toBe(EXCLUDING.length);
});

it('reads the conditions by the table of the tape of each trade', async () => {
  const { reaches, gateway } = await startBot();
  const send = (n: number, z: string, ...c: string[]) => {
    const message = { T: 't', i: n, S: 'AAPL', x: 'V', p: 100 + n, s: 10, t: new Date(AT + n), c, z };
    testbed.broker.faults.sendFrame(MSGPACK.encode([message]));
  };
  send(1, 'C', '@');
  await reaches({ price: 101 });
  let n = 1;
  for (const [tape, codes] of Object.entries(EXCLUDING_ON)) for (const code of codes) send(++n, tape, code);
  // B excludes a trade on the tapes A and B only, W on those of Nasdaq and of OTC only.
  send(++n, 'C', '@', 'B');
  await reaches({ price: 100 + n, cause: 'trade' });
  send(++n, 'A', ' ', 'W');
  await reaches({ price: 100 + n, cause: 'trade' });
  const codes = Object.values(EXCLUDING_ON).flat();
  expect(gateway.stats.dropped.excluded).toBe(codes.length);
  await testbed.prices.until(({ data }) => data.price === 100 + n);
  expect(testbed.prices.all.slice(-2).map(({ data }) => data.price)).toEqual([99 + n, 100 + n]);
  expect(testbed.prices.all.length).toBeLessThanOrEqual(3);
});

it('never gives out a side outside of the price band, and reports the band', async () => {
  const { reaches, requireFresh, instruments } = await startBot();
  const band: BandEvent = { kind: 'band', symbol: 'AAPL', limit_down: 95, limit_up: 105, timestamp: AT };
  testbed.market.push(band, numbered(1));
  const reported = await instruments.until(({ limit_up }) => limit_up !== undefined);
  expect(reported).toMatchObject({ symbol: 'AAPL', state: 'subscribed', limit_down: 95, limit_up: 105 });
  await reaches({ price: 101 });
  testbed.market.push({ ...quote(99, 106), timestamp: AT + 2 } as ReturnType<typeof quote>);
  await reaches({ price: 101, bid: 99 });
  expect(requireFresh().ask).toBeUndefined();
  const { limit_down, limit_up, ...ended } = band;
  testbed.market.push(ended, { ...quote(90, 106), timestamp: AT + 3 } as ReturnType<typeof quote>);
  await reaches({ bid: 90, ask: 106 });
  const from = instruments.all.indexOf(reported) + 1;
  expect(await instruments.until(() => true, from)).not.toHaveProperty('limit_up');
});

it('takes a side back when a new price band leaves it out, also on a market without quotes', async () => {
  const { reaches, requireFresh, verdict } = await startBot();
  testbed.market.push(quote(99, 106));
  await reaches({ price: 102.5, bid: 99, ask: 106 });
  const band: BandEvent = { kind: 'band', symbol: 'AAPL', limit_down: 95, limit_up: 105, timestamp: AT + 1 };
  testbed.market.push(band);
  await expect.poll(verdict).toBe('no_price');
  testbed.market.push({ ...band, limit_up: 107, timestamp: AT + 2 });
  await reaches({ bid: 99, ask: 106, cause: 'quote', timestamp: AT + 2 });
  testbed.market.push(numbered(3));
  await reaches({ price: 103, ask: 106 });
  testbed.market.push({ ...band, timestamp: AT + 4 });
  await reaches({ price: 103, bid: 99, cause: 'quote', timestamp: AT + 4 });
  expect(requireFresh().ask).toBeUndefined();
});

it('a new gateway does not take a trade for the price that was cancelled before, and is sent again', async () => {
  await testbed.broker.close();
  testbed.broker = await startSimulatedBroker({ source: testbed.market, resentTrades: 5 });
  const { reaches, gateway } = await startBot();
  testbed.market.push(numbered(1), numbered(2), numbered(3));
  await reaches({ price: 103 });
  testbed.market.push(cancel(3));
  await reaches({ price: 102, trades_until: AT + 3 });
  await gateway.stop();
  const published = testbed.prices.all.length;
  const next = await testbed.startGateway({ symbols: ['AAPL'] });
  await expect.poll(() => next.stats.dropped.late, { timeout: 50_000 }).toBe(3);
  testbed.market.push(numbered(4));
  await testbed.prices.until(({ data }) => data.price === 104);
  expect(testbed.prices.all.slice(published).map(({ data }) => data.price)).toEqual([104]);
}, 60_000);

it('ends a band at 16:00 in New York, and a late joiner knows that the subscription continued', async () => {
  let aheadMs = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const { instruments, reaches } = await startBot({ clock });
  const band: BandEvent = { kind: 'band', symbol: 'AAPL', limit_down: 95, limit_up: 105, timestamp: AT };
  testbed.market.push(numbered(1), band, { ...quote(99, 106), timestamp: AT + 2 } as ReturnType<
    typeof quote
  >);
  await reaches({ price: 101, bid: 99 });
  const reported = await instruments.until(({ limit_up }) => limit_up !== undefined);
  aheadMs = 6 * 3_600_000;
  const from = instruments.all.indexOf(reported) + 1;
  const ended = await instruments.until(({ limit_up }) => limit_up === undefined, from);
  expect(ended.state_for_ms).toBeGreaterThan(0);
  await reaches({ bid: 99, ask: 106, cause: 'quote', timestamp: Date.UTC(2026, 0, 2, 21) });
}, 60_000);

it('gives out neither a cancelled price nor one of a halted instrument while a gateway takes over', async () => {
  const { reaches, gateway, verdict, instruments } = await startBot();
  const status = { kind: 'status', symbol: 'AAPL', timestamp: LATER + 1 } as const;
  const next = await testbed.startGateway({ symbols: ['AAPL'] });
  testbed.market.push(numbered(1));
  await reaches({ price: 101 });
  testbed.market.push(cancel(1), { ...status, code: 'H' });
  const { lease = 0 } = await instruments.until(({ has_price }) => has_price === false);
  await expect.poll(verdict).toBe('halted');
  const verdicts = new Set<string>();
  let isWatching = true;
  const watch = (): void => {
    verdicts.add(verdict());
    if (isWatching) setImmediate(watch);
  };
  watch();
  await gateway.stop();
  const inherited = await instruments.until((status) => (status.lease ?? 0) > lease);
  expect(inherited).toMatchObject({ market: 'halted', has_price: false });
  await expect.poll(verdict, { timeout: 30_000 }).toBe('halted');
  expect(next.stats.role).toBe('active');
  testbed.market.push({ ...status, code: 'T' });
  await expect.poll(verdict).toBe('no_price');
  isWatching = false;
  expect(verdicts).not.toContain('fresh');
  testbed.market.push(numbered(2, { timestamp: LATER + 3 }));
  await reaches({ price: 102 });
}, 60_000);
