// judge: every verdict and its reason, from the facts about a value.

import { describe, expect, it } from 'vitest';
import type { Bounds } from '../../freshness/age-bounds.ts';
import { StaleDataError } from '../../freshness/stale-data-error.ts';
import { type Facts, type FeedFacts, judge, type Verdict } from '../../freshness/verdict.ts';

const never = Number.POSITIVE_INFINITY;

const feed: FeedFacts = {
  fault: undefined,
  name: 'sim',
  state: 'live',
  detail: undefined,
  heartbeatAgoMs: 500,
  heartbeatTimeoutMs: 3_000,
  lastFrameAgoMs: 600,
  liveForMs: 3_600_000,
  instrument: undefined,
};

const good: Facts & { feed: FeedFacts } = {
  linkFault: undefined,
  isRecovering: false,
  linkConfirmedAgoMs: 900,
  linkTimeoutMs: 2_000,
  behindMs: 0,
  feed,
  changedAgoMs: 700,
  channelChangedAgoMs: 300,
  errorMs: 1,
};

const strict: Bounds = { maxAgeMs: 1_000, maxQuietMs: 1_000 };
const lenient: Bounds = { maxAgeMs: 1_000, maxQuietMs: 60_000 };
const subscribed = { state: 'subscribed', detail: undefined, feed: 'sim', forMs: 3_000_000 };

const cases: [string, Partial<Facts>, Partial<FeedFacts>, Bounds, Verdict, RegExp][] = [
  ['everything is in order', {}, {}, strict, 'fresh', /changed within/],
  ['the link is down', { linkFault: 'Down.' }, {}, strict, 'link_down', /^Down\.$/],
  [
    'the link is down during recovery',
    { linkFault: 'Down.', isRecovering: true },
    {},
    strict,
    'link_down',
    /Down/,
  ],
  [
    'the head is not confirmed in time',
    { linkConfirmedAgoMs: 2_000 },
    {},
    strict,
    'link_down',
    /2000 ms ago/,
  ],
  ['the head may not be read', { linkConfirmedAgoMs: never }, {}, strict, 'link_down', /may not read/],
  [
    'the channel is recovering',
    { isRecovering: true, linkConfirmedAgoMs: never },
    {},
    strict,
    'recovering',
    /is recovering/,
  ],
  ['messages wait longer than maxAgeMs', { behindMs: 1_001 }, {}, strict, 'lagging', /1001 ms/],
  ['messages wait for maxAgeMs', { behindMs: 1_000 }, {}, strict, 'fresh', /./],
  [
    'no heartbeat ever arrived',
    {},
    { fault: 'Never.', heartbeatAgoMs: never },
    strict,
    'gateway_down',
    /Never/,
  ],
  [
    'the age of the heartbeat is unknown',
    {},
    { heartbeatAgoMs: never },
    strict,
    'gateway_down',
    /sim is unknown/,
  ],
  ['the heartbeats stop', {}, { heartbeatAgoMs: 3_000 }, strict, 'gateway_down', /sim for 3000 ms/],
  ['the gateway is stopping', {}, { state: 'stopping' }, strict, 'gateway_down', /stopping\./],
  [
    'the gateway has stopped',
    {},
    { state: 'stopped', detail: 'bye' },
    strict,
    'gateway_down',
    /stopped: bye/,
  ],
  ['the feed is silent', {}, { state: 'silent' }, strict, 'feed_down', /sim is silent/],
  ['the feed is connecting', {}, { state: 'connecting' }, strict, 'feed_down', /connecting/],
  ['the feed is down', {}, { state: 'down', detail: '406' }, strict, 'feed_down', /down: 406/],
  ['the feed state is unknown', {}, { state: 'melting' }, strict, 'feed_down', /melting/],
  [
    'the instrument is refused',
    {},
    { instrument: { ...subscribed, state: 'refused', detail: '405' } },
    strict,
    'feed_down',
    /refused\): 405/,
  ],
  [
    'the instrument is unknown',
    {},
    { instrument: { ...subscribed, state: 'unknown', detail: 'no such symbol.' } },
    strict,
    'unknown_instrument',
    /^The feed sim does not know this key\. Check its spelling: no such symbol\.$/,
  ],
  [
    'nobody requests the instrument any more',
    {},
    { instrument: { ...subscribed, state: 'unsubscribed' } },
    strict,
    'not_requested',
    /^The gateway of sim has no subscription to this key: .* add it to SYMBOLS/,
  ],
  [
    'the gateway reports instruments, but not this one',
    { changedAgoMs: never },
    { reportsInstruments: true },
    lenient,
    'not_requested',
    /no bot requests it/,
  ],
  [
    'the requests exceed the limit of the gateway',
    { changedAgoMs: never },
    { reportsInstruments: true, detail: 'Bots request 3 symbols more than the limit.' },
    lenient,
    'not_requested',
    /spelling: Bots request 3 symbols more than the limit\.$/,
  ],
  [
    'the gateway has unsubscribed from the instrument of a value that is not old',
    {},
    { reportsInstruments: true },
    strict,
    'fresh',
    /within maxAgeMs/,
  ],
  [
    'the venue has no price',
    {},
    { instrument: { ...subscribed, market: 'no_price' } },
    strict,
    'no_price',
    /neither a trade nor both sides/,
  ],
  [
    'the venue has a price again',
    {},
    { instrument: { ...subscribed, market: 'trading' } },
    strict,
    'fresh',
    /./,
  ],
  ['the instrument is subscribed', {}, { instrument: subscribed }, strict, 'fresh', /./],
  [
    'the key is older than maxQuietMs',
    { changedAgoMs: 1_000 },
    {},
    strict,
    'quiet_market',
    /not changed for 1000 ms/,
  ],
  [
    'the key is older than maxAgeMs but not maxQuietMs',
    { changedAgoMs: 50_000 },
    {},
    lenient,
    'fresh',
    /live ever since/,
  ],
  ['the key reaches a long maxQuietMs', { changedAgoMs: 60_000 }, {}, lenient, 'quiet_market', /60000 ms/],
  ['the key has no value', { changedAgoMs: never }, {}, lenient, 'quiet_market', /No value/],
  [
    'the whole feed is quiet',
    { changedAgoMs: 50_000, channelChangedAgoMs: 1_500 },
    { lastFrameAgoMs: 1_200 },
    lenient,
    'quiet_market',
    /from the feed for 1200 ms/,
  ],
  [
    'the key is quiet and another key confirms the feed',
    { changedAgoMs: 50_000 },
    { lastFrameAgoMs: never },
    lenient,
    'fresh',
    /./,
  ],
  [
    'the key is quiet since before an interruption of the feed',
    { changedAgoMs: 50_000 },
    { liveForMs: 49_000 },
    lenient,
    'quiet_market',
    /interrupted/,
  ],
  [
    'the key is quiet and the feed has no known uptime',
    { changedAgoMs: 50_000 },
    { liveForMs: -never },
    lenient,
    'quiet_market',
    /interrupted/,
  ],
  [
    'the key is quiet and was resubscribed',
    { changedAgoMs: 50_000 },
    { instrument: { ...subscribed, forMs: 40_000 } },
    lenient,
    'quiet_market',
    /interrupted/,
  ],
  [
    'the age is within its error of the bound',
    { changedAgoMs: 980, errorMs: 30 },
    {},
    strict,
    'quiet_market',
    /./,
  ],
  ['the times are unknown', { errorMs: never }, {}, lenient, 'quiet_market', /./],
];

describe('judge', () => {
  it.each(cases)('if %s', (_, facts, feedFacts, bounds, verdict, reason) => {
    const judged = judge({ ...good, ...facts, feed: { ...feed, ...feedFacts } }, bounds);
    expect(judged.verdict).toBe(verdict);
    expect(judged.reason).toMatch(reason);
  });

  it('of a channel without a gateway uses the age of the value only', () => {
    const own = { ...good, feed: undefined };
    expect(judge(own, strict)).toMatchObject({ verdict: 'fresh', confirmedAgoMs: 700 });
    expect(judge({ ...own, changedAgoMs: 2_000 }, lenient).verdict).toBe('quiet_market');
  });
});

it('judge reports the latest confirmation of the value by its feed', () => {
  expect(judge(good, strict).confirmedAgoMs).toBe(300);
  expect(judge({ ...good, channelChangedAgoMs: 900 }, strict).confirmedAgoMs).toBe(600);
});

it('StaleDataError carries every field, in JSON too', () => {
  const error = new StaleDataError('Why.', {
    channel: 'PRICE_DATA',
    key: 'AAPL',
    verdict: 'feed_down',
    changedAgoMs: 5,
    confirmedAgoMs: 4,
  });
  expect(error).toMatchObject({ name: 'StaleDataError', code: 'TICKBUS_STALE_DATA', retryable: true });
  expect(JSON.parse(JSON.stringify(error))).toMatchObject({
    key: 'AAPL',
    verdict: 'feed_down',
    changedAgoMs: 5,
  });
});
