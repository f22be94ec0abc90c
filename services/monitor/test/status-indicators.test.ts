// Status indicators: states by time and by the state of other links.

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

describe('the Redis indicator', () => {
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

describe('the broker indicator', () => {
  it('turns red within 5 s of a gateway crash, after three missed heartbeats', () => {
    expect(brokerIndicator('ok', live, AT + 3_000).state).toBe('ok');
    expect(brokerIndicator('ok', live, AT + 3_001)).toMatchObject({ state: 'bad', text: 'gateway silent' });
  });

  it('uses the heartbeat interval of the gateway', () => {
    expect(brokerIndicator('ok', feed({ interval_ms: 100 }), AT + 301).state).toBe('bad');
    expect(brokerIndicator('ok', feed({ interval_ms: 2_000 }), AT + 5_999).state).toBe('ok');
  });

  it.each([
    ['connecting', 'warn'],
    ['down', 'bad'],
    ['stopped', 'bad'],
    // A silent broker is still connected; the data indicator reports the silence.
    ['silent', 'ok'],
  ] as const)('of a feed that is %s', (state, expected) => {
    expect(brokerIndicator('ok', feed({ state }), AT).state).toBe(expected);
  });

  it('is red without a gateway, and unknown while Redis is down', () => {
    expect(brokerIndicator('ok', undefined, AT).state).toBe('bad');
    for (const redis of ['bad', 'warn', 'unknown'] as const)
      expect(brokerIndicator(redis, live, AT + 60_000).state).toBe('unknown');
  });

  it('waits for the next heartbeat after the Redis link is restored, then turns red', () => {
    const reconnectedAt = AT + 60_000;
    expect(brokerIndicator('ok', live, reconnectedAt, reconnectedAt)).toMatchObject({
      state: 'unknown',
      text: 'waiting',
    });
    expect(brokerIndicator('ok', live, reconnectedAt + 3_000, reconnectedAt).state).toBe('unknown');
    expect(brokerIndicator('ok', live, reconnectedAt + 3_001, reconnectedAt)).toMatchObject({
      state: 'bad',
      text: 'gateway silent',
    });
    expect(
      brokerIndicator('ok', { ...live, receivedAt: reconnectedAt + 1 }, reconnectedAt + 2, reconnectedAt)
        .state,
    ).toBe('ok');
  });

  it('uses the newest lease of the PRICE_DATA gateway', () => {
    let held: number | undefined;
    const tracker = new FeedStatusTracker(
      () => {},
      () => held,
    );
    const record = (status: Partial<FeedStatus>) =>
      tracker.record(
        { data: { ...live.status, ...status } } as Parameters<FeedStatusTracker['record']>[0],
        AT,
      );
    record({ lease: 7 });
    record({ lease: 9, channel: 'OTHER_DATA', state: 'down' });
    record({ lease: 6, state: 'stopped' });
    record({ state: 'down' });
    expect(tracker.feeds[0]?.heartbeat?.status).toMatchObject({ lease: 7, state: 'live' });
    record({ lease: 8, state: 'connecting' });
    expect(tracker.feeds[0]?.heartbeat?.status).toMatchObject({ lease: 8, state: 'connecting' });
    record({ lease: 9e15, holder: 'forger' });
    held = 8;
    record({ lease: 8, state: 'down' });
    expect(tracker.feeds[0]?.heartbeat?.status).toMatchObject({ lease: 8, state: 'down' });
    record({ lease: 9e15, holder: 'forger' });
    expect(tracker.feeds[0]?.heartbeat?.status).toMatchObject({ lease: 8, state: 'down' });
    held = 9;
    record({ lease: 9 });
    expect(tracker.feeds[0]?.heartbeat?.status).toMatchObject({ lease: 9, state: 'live' });
  });

  it('believes no lease that Redis does not name', () => {
    const forged = feed({ holder: 'forger', lease: 9e15, interval_ms: 1e300 });
    for (const heldLease of [undefined, 7])
      expect(brokerIndicator('ok', forged, AT, 0, heldLease)).toMatchObject({
        state: 'unknown',
        text: 'not proved',
      });
  });

  it('names the lease holder, or the last one of a silent gateway', () => {
    const held = feed({ holder: 'desk-1', lease: 17 });
    expect(brokerIndicator('ok', held, AT + 60_000).detail).toBe(
      'No heartbeat from desk-1, which held lease 17.',
    );
    const { detail } = brokerIndicator('ok', feed({ holder: 'desk-1', lease: 17 }), AT, 0, 17);
    expect(detail).toContain('desk-1 holds lease 17');
  });
});

describe('the data indicator', () => {
  const activity = { newestAt: AT, fresh: 3, all: 3, maxAgeMs: 5_000, brokerSince: AT - 60_000 };

  it('turns red if no price has arrived for longer than the maximum age', () => {
    expect(dataIndicator('ok', 'ok', live, activity, AT + 5_000).state).toBe('ok');
    expect(dataIndicator('ok', 'ok', live, activity, AT + 5_001)).toMatchObject({
      state: 'bad',
      text: 'stalled',
    });
  });

  it('is amber while the broker sends frames without price changes', () => {
    const speaking = feed({ last_frame_ago_ms: 100 });
    expect(dataIndicator('ok', 'ok', speaking, activity, AT + 5_001).state).toBe('bad');
    expect(
      dataIndicator('ok', 'ok', { ...speaking, receivedAt: AT + 9_000 }, activity, AT + 9_500).state,
    ).toBe('warn');
  });

  it('is green if no symbols are requested', () => {
    expect(dataIndicator('ok', 'ok', feed({ instruments: 0 }), activity, AT + 60_000)).toMatchObject({
      state: 'ok',
      text: 'no symbols',
    });
  });

  it('waits for the first price after the broker link is established', () => {
    const risen = { ...activity, newestAt: undefined, brokerSince: AT };
    expect(dataIndicator('ok', 'ok', live, risen, AT + 4_000).state).toBe('unknown');
    expect(dataIndicator('ok', 'ok', live, risen, AT + 5_001).state).toBe('bad');
  });

  it('is unknown while the Redis or broker indicator is not OK', () => {
    expect(dataIndicator('bad', 'unknown', live, activity, AT + 60_000).state).toBe('unknown');
    expect(dataIndicator('ok', 'bad', live, activity, AT + 60_000).state).toBe('unknown');
  });
});
