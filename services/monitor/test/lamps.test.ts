// The lamps, by the clock: which of them turns, when, and which do not.

import { type FeedStatus, TickbusError } from 'tickbus';
import { describe, expect, it } from 'vitest';
import { FeedWatch } from '../model/feed-watch.ts';
import { brokerLamp, dataLamp, type FeedHeard, redisLamp } from '../model/lamps.ts';

const AT = 1_000_000;
const live: FeedHeard = { status: { feed: 'alpaca', state: 'live', instruments: 3 }, at: AT };
const feed = (status: Partial<FeedHeard['status']>): FeedHeard => ({
  status: { ...live.status, ...status },
  at: AT,
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
    expect(redisLamp(link, 'redis:6379').state).toBe(state);
  });
});

describe('the broker lamp', () => {
  it('is red within 5 s of the last word of a gateway that is killed, and not before three are missing', () => {
    expect(brokerLamp('ok', live, AT + 3_000).state).toBe('ok');
    expect(brokerLamp('ok', live, AT + 3_001)).toMatchObject({ state: 'bad', text: 'gateway silent' });
  });

  it('goes by the interval that the gateway tells', () => {
    expect(brokerLamp('ok', feed({ interval_ms: 100 }), AT + 301).state).toBe('bad');
    expect(brokerLamp('ok', feed({ interval_ms: 2_000 }), AT + 5_999).state).toBe('ok');
  });

  it.each([
    ['connecting', 'warn'],
    ['down', 'bad'],
    ['stopped', 'bad'],
    // A broker that is silent is connected all the same: that is the data lamp's to tell.
    ['silent', 'ok'],
  ] as const)('of a feed that is %s', (state, lamp) => {
    expect(brokerLamp('ok', feed({ state }), AT).state).toBe(lamp);
  });

  it('is red without any gateway, unknown while Redis is not there', () => {
    expect(brokerLamp('ok', undefined, AT).state).toBe('bad');
    for (const redis of ['bad', 'warn', 'unknown'] as const)
      expect(brokerLamp(redis, live, AT + 60_000).state).toBe('unknown');
  });

  it('waits for the next word of the gateway once the Redis link is back, and then blames it', () => {
    const backAt = AT + 60_000;
    expect(brokerLamp('ok', live, backAt, backAt)).toMatchObject({ state: 'unknown', text: 'waiting' });
    expect(brokerLamp('ok', live, backAt + 3_000, backAt).state).toBe('unknown');
    expect(brokerLamp('ok', live, backAt + 3_001, backAt)).toMatchObject({
      state: 'bad',
      text: 'gateway silent',
    });
    expect(brokerLamp('ok', { ...live, at: backAt + 1 }, backAt + 2, backAt).state).toBe('ok');
  });

  it('goes by the gateway of the prices that are shown, and by the newest lease of it', () => {
    const watch = new FeedWatch(() => {});
    const tell = (status: Partial<FeedStatus>) =>
      watch.heard({ data: { ...live.status, ...status } } as Parameters<FeedWatch['heard']>[0], AT);
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
    expect(brokerLamp('ok', held, AT + 60_000).detail).toBe('No word from desk-1, which held lease 17.');
    const { detail } = brokerLamp('ok', feed({ holder: 'desk-1', lease: 17 }), AT);
    expect(detail).toContain('desk-1 holds lease 17');
  });
});

describe('the data lamp', () => {
  const seen = { newestAt: AT, fresh: 3, all: 3, maxAgeMs: 5_000, brokerSince: AT - 60_000 };

  it('is red once nothing has come for longer than a price may be old', () => {
    expect(dataLamp('ok', 'ok', live, seen, AT + 5_000).state).toBe('ok');
    expect(dataLamp('ok', 'ok', live, seen, AT + 5_001)).toMatchObject({ state: 'bad', text: 'stalled' });
  });

  it('is amber while the broker speaks and no price changes', () => {
    const speaking = feed({ last_frame_ago_ms: 100 });
    expect(dataLamp('ok', 'ok', speaking, seen, AT + 5_001).state).toBe('bad');
    expect(dataLamp('ok', 'ok', { ...speaking, at: AT + 9_000 }, seen, AT + 9_500).state).toBe('warn');
  });

  it('is green where nothing is asked for, whatever came before', () => {
    expect(dataLamp('ok', 'ok', feed({ instruments: 0 }), seen, AT + 60_000)).toMatchObject({
      state: 'ok',
      text: 'nothing asked',
    });
  });

  it('waits for the first price after the link has come up', () => {
    const risen = { ...seen, newestAt: undefined, brokerSince: AT };
    expect(dataLamp('ok', 'ok', live, risen, AT + 4_000).state).toBe('unknown');
    expect(dataLamp('ok', 'ok', live, risen, AT + 5_001).state).toBe('bad');
  });

  it('does not speak for the lamps before it', () => {
    expect(dataLamp('bad', 'unknown', live, seen, AT + 60_000).state).toBe('unknown');
    expect(dataLamp('ok', 'bad', live, seen, AT + 60_000).state).toBe('unknown');
  });
});
