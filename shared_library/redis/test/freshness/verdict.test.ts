// Every verdict and every reason, from what is known.

import { describe, expect, it } from 'vitest';
import type { Bounds } from '../../freshness/bounds.ts';
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
const patient: Bounds = { maxAgeMs: 1_000, maxQuietMs: 60_000 };
const subscribed = { state: 'subscribed', detail: undefined, feed: 'sim', forMs: 3_000_000 };

const cases: [string, Partial<Facts>, Partial<FeedFacts>, Bounds, Verdict, RegExp][] = [
  ['all is well', {}, {}, strict, 'fresh', /changed within/],
  ['a link that is down', { linkFault: 'Down.' }, {}, strict, 'link_down', /^Down\.$/],
  [
    'a link down while recovering',
    { linkFault: 'Down.', isRecovering: true },
    {},
    strict,
    'link_down',
    /Down/,
  ],
  ['a head that was not confirmed', { linkConfirmedAgoMs: 2_000 }, {}, strict, 'link_down', /2000 ms ago/],
  ['a head that may not be read', { linkConfirmedAgoMs: never }, {}, strict, 'link_down', /may not read/],
  [
    'a recovery',
    { isRecovering: true, linkConfirmedAgoMs: never },
    {},
    strict,
    'recovering',
    /is recovering/,
  ],
  ['messages that wait', { behindMs: 1_001 }, {}, strict, 'lagging', /1001 ms/],
  ['messages that wait a little', { behindMs: 1_000 }, {}, strict, 'fresh', /./],
  [
    'a gateway that was never heard',
    {},
    { fault: 'Never.', heartbeatAgoMs: never },
    strict,
    'gateway_down',
    /Never/,
  ],
  ['a heartbeat of unknown age', {}, { heartbeatAgoMs: never }, strict, 'gateway_down', /sim is unknown/],
  ['a gateway that has gone quiet', {}, { heartbeatAgoMs: 3_000 }, strict, 'gateway_down', /sim for 3000 ms/],
  ['a gateway that leaves', {}, { state: 'stopping' }, strict, 'gateway_down', /stopping\./],
  [
    'a gateway that has left',
    {},
    { state: 'stopped', detail: 'bye' },
    strict,
    'gateway_down',
    /stopped: bye/,
  ],
  ['a mute feed', {}, { state: 'silent' }, strict, 'feed_down', /sim is silent/],
  ['a feed that connects', {}, { state: 'connecting' }, strict, 'feed_down', /connecting/],
  ['a feed that is down', {}, { state: 'down', detail: '406' }, strict, 'feed_down', /down: 406/],
  ['a state of the future', {}, { state: 'melting' }, strict, 'feed_down', /melting/],
  [
    'a refused instrument',
    {},
    { instrument: { ...subscribed, state: 'refused', detail: '405' } },
    strict,
    'feed_down',
    /refused\): 405/,
  ],
  [
    'an unknown instrument',
    {},
    { instrument: { ...subscribed, state: 'unknown' } },
    strict,
    'feed_down',
    /unknown/,
  ],
  ['a subscribed instrument', {}, { instrument: subscribed }, strict, 'fresh', /./],
  ['a key that is quiet', { changedAgoMs: 1_000 }, {}, strict, 'quiet_market', /not changed for 1000 ms/],
  ['a key that may be quiet', { changedAgoMs: 50_000 }, {}, patient, 'fresh', /live ever since/],
  ['a key that is too quiet', { changedAgoMs: 60_000 }, {}, patient, 'quiet_market', /60000 ms/],
  ['a key without a value', { changedAgoMs: never }, {}, patient, 'quiet_market', /No value/],
  [
    'a feed that is quiet as a whole',
    { changedAgoMs: 50_000, channelChangedAgoMs: 1_500 },
    { lastFrameAgoMs: 1_200 },
    patient,
    'quiet_market',
    /from the feed for 1200 ms/,
  ],
  [
    'a quiet key confirmed by another',
    { changedAgoMs: 50_000 },
    { lastFrameAgoMs: never },
    patient,
    'fresh',
    /./,
  ],
  [
    'a quiet key on a feed that was interrupted',
    { changedAgoMs: 50_000 },
    { liveForMs: 49_000 },
    patient,
    'quiet_market',
    /interrupted/,
  ],
  [
    'a quiet key on a feed of unknown life',
    { changedAgoMs: 50_000 },
    { liveForMs: -never },
    patient,
    'quiet_market',
    /interrupted/,
  ],
  [
    'a quiet key that was subscribed anew',
    { changedAgoMs: 50_000 },
    { instrument: { ...subscribed, forMs: 40_000 } },
    patient,
    'quiet_market',
    /interrupted/,
  ],
  [
    'an age within the error of its bound',
    { changedAgoMs: 980, errorMs: 30 },
    {},
    strict,
    'quiet_market',
    /./,
  ],
  ['times that are not known', { errorMs: never }, {}, patient, 'quiet_market', /./],
];

describe('the verdict on', () => {
  it.each(cases)('%s', (_, facts, feedFacts, bounds, verdict, reason) => {
    const judged = judge({ ...good, ...facts, feed: { ...feed, ...feedFacts } }, bounds);
    expect(judged.verdict).toBe(verdict);
    expect(judged.reason).toMatch(reason);
  });

  it('a channel without a gateway goes by the age of the value alone', () => {
    const own = { ...good, feed: undefined };
    expect(judge(own, strict)).toMatchObject({ verdict: 'fresh', confirmedAgoMs: 700 });
    expect(judge({ ...own, changedAgoMs: 2_000 }, patient).verdict).toBe('quiet_market');
  });
});

it('a value was last confirmed by whatever came last from its feed', () => {
  expect(judge(good, strict).confirmedAgoMs).toBe(300);
  expect(judge({ ...good, channelChangedAgoMs: 900 }, strict).confirmedAgoMs).toBe(600);
});

it('the error says all of it, in JSON too', () => {
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
