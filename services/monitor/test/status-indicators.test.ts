// The lamps, by the clock: which of them turns, when, and which do not.

import { type FeedStatus, TickbusError } from 'tickbus';
import { describe, expect, it } from 'vitest';
import { FeedStatusTracker } from '../model/feed-status-tracker.ts';
import {
  brokerIndicator,
  dataIndicator,
  type GatewayHeartbeat,
  redisIndicator,
} from '../model/status-indicators.ts';

const AT = 1_000_000;
const live: GatewayHeartbeat = { status: { feed: 'alpaca', state: 'live', instruments: 3 }, receivedAt: AT };
const feed = (status: Partial<GatewayHeartbeat['status']>): GatewayHeartbeat => ({
  status: { ...live.status, ...status },
  receivedAt: AT,
});

describe('the Redis lamp', () => {
  const error = new TickbusError('TICKBUS_NOT_CONNECTED', 'The link is down.');
  it.each([
    [undefined, 'warn'],
    [{ type: 'connected', generation: 1 }, 'ok'],
    [{ type: 'stale', silentForMs: 3_100 }, 'bad'],
    [{ type: 'disconnected', error }, 'bad'],
    [{ type: 'failed', error }, 'bad'],
  ] as const)('%j', (link, state) => {
    expect(redisIndicator(link, 'redis:6379').state).toBe(state);
  });
});

describe('the broker lamp', () => {
  it('is red within 5 s of the last word of a gateway that is killed, and not before three are missing', () => {
    expect(brokerIndicator('ok', live, AT + 3_000).state).toBe('ok');
    expect(brokerIndicator('ok', live, AT + 3_001)).toMatchObject({ state: 'bad', text: 'gateway silent' });
  });

  it('goes by the interval that the gateway tells', () => {
    expect(brokerIndicator('ok', feed({ interval_ms: 100 }), AT + 301).state).toBe('bad');
    expect(brokerIndicator('ok', feed({ interval_ms: 2_000 }), AT + 5_999).state).toBe('ok');
  });

  it.each([
    ['connecting', 'warn'],
    ['down', 'bad'],
    ['stopped', 'bad'],
    // A broker that is silent is connected all the same: that is the data lamp's to tell.
    ['silent', 'ok'],
  ] as const)('of a feed that is %s', (state, lamp) => {
    expect(brokerIndicator('ok', feed({ state }), AT).state).toBe(lamp);
  });

  it('is red without any gateway, unknown while Redis is not there', () => {
    expect(brokerIndicator('ok', undefined, AT).state).toBe('bad');
    for (const redis of ['bad', 'warn', 'unknown'] as const)
      expect(brokerIndicator(redis, live, AT + 60_000).state).toBe('unknown');
  });

  it('waits for the next word of the gateway once the Redis link is back, and then blames it', () => {
    const backAt = AT + 60_000;
    expect(brokerIndicator('ok', live, backAt, backAt)).toMatchObject({ state: 'unknown', text: 'waiting' });
    expect(brokerIndicator('ok', live, backAt + 3_000, backAt).state).toBe('unknown');
    expect(brokerIndicator('ok', live, backAt + 3_001, backAt)).toMatchObject({
      state: 'bad',
      text: 'gateway silent',
    });
    expect(brokerIndicator('ok', { ...live, receivedAt: backAt + 1 }, backAt + 2, backAt).state).toBe('ok');
  });

  it('goes by the gateway of the prices that are shown, and by the newest lease of it', () => {
    const watch = new FeedStatusTracker(() => {});
    const tell = (status: Partial<FeedStatus>) =>
      watch.record({ data: { ...live.status, ...status } } as Parameters<FeedStatusTracker['record']>[0], AT);
    tell({ lease: 7 });
    tell({ lease: 9, channel: 'OTHER_DATA', state: 'down' });
    tell({ lease: 6, state: 'stopped' });
    tell({ state: 'down' });
    expect(watch.newest?.status).toMatchObject({ lease: 7, state: 'live' });
    tell({ lease: 8, state: 'connecting' });
    expect(watch.newest?.status).toMatchObject({ lease: 8, state: 'connecting' });
  });

  it('tells who holds the lease, and who held it when nothing is heard any more', () => {
    const held = feed({ holder: 'desk-1', lease: 17 });
    expect(brokerIndicator('ok', held, AT + 60_000).detail).toBe('No word from desk-1, which held lease 17.');
    const { detail } = brokerIndicator('ok', feed({ holder: 'desk-1', lease: 17 }), AT);
    expect(detail).toContain('desk-1 holds lease 17');
  });
});

describe('the data lamp', () => {
  const seen = { newestAt: AT, fresh: 3, all: 3, maxAgeMs: 5_000, brokerSince: AT - 60_000 };

  it('is red once nothing has come for longer than a price may be old', () => {
    expect(dataIndicator('ok', 'ok', live, seen, AT + 5_000).state).toBe('ok');
    expect(dataIndicator('ok', 'ok', live, seen, AT + 5_001)).toMatchObject({
      state: 'bad',
      text: 'stalled',
    });
  });

  it('is amber while the broker speaks and no price changes', () => {
    const speaking = feed({ last_frame_ago_ms: 100 });
    expect(dataIndicator('ok', 'ok', speaking, seen, AT + 5_001).state).toBe('bad');
    expect(dataIndicator('ok', 'ok', { ...speaking, receivedAt: AT + 9_000 }, seen, AT + 9_500).state).toBe(
      'warn',
    );
  });

  it('is green where nothing is asked for, whatever came before', () => {
    expect(dataIndicator('ok', 'ok', feed({ instruments: 0 }), seen, AT + 60_000)).toMatchObject({
      state: 'ok',
      text: 'nothing asked',
    });
  });

  it('waits for the first price after the link has come up', () => {
    const risen = { ...seen, newestAt: undefined, brokerSince: AT };
    expect(dataIndicator('ok', 'ok', live, risen, AT + 4_000).state).toBe('unknown');
    expect(dataIndicator('ok', 'ok', live, risen, AT + 5_001).state).toBe('bad');
  });

  it('does not speak for the lamps before it', () => {
    expect(dataIndicator('bad', 'unknown', live, seen, AT + 60_000).state).toBe('unknown');
    expect(dataIndicator('ok', 'bad', live, seen, AT + 60_000).state).toBe('unknown');
  });
});
