// Verdict of a price: fresh or quiet_market, depending on the bounds, and never fresh without proof.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { FreshnessHarness, MINUTE_OF_QUIET } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('a price', () => {
  it('is fresh when it has just arrived', async () => {
    const harness = await FreshnessHarness.running();
    expect(harness.latest('A')).toMatchObject({
      message: { data: { symbol: 'A', price: 1 } },
      verdict: 'fresh',
      changedAgoMs: 0,
      confirmedAgoMs: 0,
      errorMs: 0,
      instrument: undefined,
    });
    expect(harness.priceOrVerdict()).toBe(1);
  });

  it('reports its ages in whole milliseconds, rounded up', async () => {
    const harness = await FreshnessHarness.running();
    const changes: { changedAgoMs: number; confirmedAgoMs: number }[] = [];
    harness.bot.on('verdict', (change) => changes.push(change));
    await harness.advance(200);
    await harness.publishPrice('B');
    harness.block(0.25);
    expect(harness.latest('A')).toMatchObject({ changedAgoMs: 201, confirmedAgoMs: 1 });
    const stale = () => harness.bot.requireFresh(PRICE_DATA, 'A', { maxAgeMs: 100 });
    expect(stale).toThrow(expect.objectContaining({ changedAgoMs: 201, confirmedAgoMs: 1 }));
    expect(stale).toThrow('The value has not changed for 201 ms.');
    await harness.advance(100);
    const ages = changes.flatMap(({ changedAgoMs, confirmedAgoMs }) => [changedAgoMs, confirmedAgoMs]);
    expect(ages.length).toBeGreaterThanOrEqual(4);
    expect(ages.filter((age) => !Number.isInteger(age))).toEqual([]);
  });

  it('is fresh in its own handler, also as a snapshot for a late joiner', async () => {
    const harness = new FreshnessHarness();
    await harness.heartbeat();
    await harness.publishPrice('A', 7);
    const seen: (number | string)[] = [];
    harness.bot.subscribe(PRICE_DATA, () => seen.push(harness.priceOrVerdict()));
    await harness.bot.startListening();
    await eventLoopTurns();
    await harness.publishPrice('A', 8);
    expect(seen).toEqual([7, 8]);
  });

  it('is quiet_market when its key is older than maxAgeMs on a live feed', async () => {
    const harness = await FreshnessHarness.running();
    await harness.advance(2_000);
    expect(harness.priceOrVerdict()).toBe(1);
    await harness.publishPrice('B');
    await harness.advance(50);
    expect([
      harness.priceOrVerdict(),
      harness.priceOrVerdict('A', MINUTE_OF_QUIET),
      harness.priceOrVerdict('B'),
    ]).toEqual(['quiet_market', 1, 1]);
    expect(harness.latest('A')).toMatchObject({ changedAgoMs: 2_050, confirmedAgoMs: 50 });
  });

  it('stays fresh up to maxQuietMs while the feed sends frames', async () => {
    const harness = await FreshnessHarness.running();
    for (let second = 0; second < 59; second++) {
      await harness.publishPrice('B');
      await harness.advance(1_000);
      expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe(1);
    }
    await harness.publishPrice('B');
    await harness.advance(1_050);
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('quiet_market');
  });

  it('is quiet_market when the whole feed sends nothing for maxAgeMs', async () => {
    const harness = await FreshnessHarness.running();
    await harness.advance(2_000);
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe(1);
    await harness.advance(50);
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('quiet_market');
    // The broker sends a frame that is not a price.
    harness.lastFrameAt = harness.serverClock.monotonic();
    await harness.advance(1_000);
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe(1);
  });

  it('is quiet_market if it is older than the last interruption of the feed', async () => {
    const harness = await FreshnessHarness.running();
    await harness.advance(500);
    harness.status = { state: 'connecting' };
    await harness.heartbeat();
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('feed_down');
    harness.status = { state: 'live' };
    harness.liveSince = harness.serverClock.monotonic();
    await harness.heartbeat();
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe(1);
    await harness.advance(2_000);
    await harness.publishPrice('B');
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('quiet_market');
    await harness.publishPrice('A', 3);
    await harness.advance(1_500);
    await harness.publishPrice('B');
    await harness.advance(1_000);
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe(3);
  });

  it('takes its bounds from the call, then the subscriptions, then the channel', async () => {
    const harness = new FreshnessHarness();
    harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A', 'B'], maxAgeMs: 1_000, maxQuietMs: 30_000 });
    harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['B'], maxAgeMs: 2_000, maxQuietMs: 4_000 });
    harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['C'] });
    await harness.heartbeat();
    await harness.bot.startListening();
    for (const symbol of ['A', 'B', 'C']) await harness.publishPrice(symbol);
    for (let second = 0; second < 5; second++) {
      await harness.advance(900);
      await harness.publishPrice('A0');
      await harness.heartbeat();
    }
    expect(['A', 'B', 'C'].map((symbol) => harness.verdict(symbol, {}))).toEqual([
      'fresh',
      'quiet_market',
      'fresh',
    ]);
    expect(harness.verdict('A', { maxQuietMs: 4_000 })).toBe('quiet_market');
    expect(harness.verdict('B', { maxAgeMs: 5_000 })).toBe('fresh');
    await harness.advance(600);
    expect(harness.verdict('C', {})).toBe('quiet_market');
  });

  it('is removed when its last subscription ends', async () => {
    const harness = new FreshnessHarness();
    const end = harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A'] });
    harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['B'] });
    await harness.heartbeat();
    await harness.bot.startListening();
    await harness.publishPrice('A');
    expect(harness.priceOrVerdict()).toBe(1);
    end();
    expect([harness.latest('A').message, harness.priceOrVerdict('A', MINUTE_OF_QUIET)]).toEqual([
      undefined,
      'quiet_market',
    ]);
  });

  it('is removed by an invalid message of its key', async () => {
    const harness = await FreshnessHarness.running();
    harness.server.publish(
      PRICE_DATA,
      [{ json: '{"message_type":"price","data":{"symbol":"A","price":"x"},"timestamp":1,"sender":"s"}' }],
      undefined,
    );
    await eventLoopTurns();
    expect([harness.latest('A').message, harness.priceOrVerdict('A', MINUTE_OF_QUIET)]).toEqual([
      undefined,
      'quiet_market',
    ]);
  });

  it('of a plain client, without a position, does not count', async () => {
    const harness = await FreshnessHarness.running();
    const json =
      '{"message_type":"price","data":{"symbol":"Z","price":1,"timestamp":1},"timestamp":1,"sender":"s","at":1798761600000}';
    harness.server.publishRaw('PRICE_DATA', new TextEncoder().encode(json));
    await eventLoopTurns();
    expect(harness.priceOrVerdict('Z')).toBe('quiet_market');
  });
});
