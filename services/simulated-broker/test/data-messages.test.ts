// Trades and quotes on the wire: fields, encodings, and trade ids.

import { expect, it } from 'vitest';
import { startBroker } from './broker.fixture.ts';
import { quote, trade } from './manual-source.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';

const MSGPACK = { 'Content-Type': 'application/msgpack' };

const complete = {
  trade: { T: 't', i: 1, S: 'AAPL', x: 'V', p: 126.55, s: 10, c: ['@'], z: 'C' },
  quote: { T: 'q', S: 'AAPL', bx: 'V', bp: 126, bs: 2, ax: 'V', ap: 127, as: 3, c: ['R'], z: 'C' },
};
const time = '2026-01-02T15:30:00.208Z';

it('JSON frames have all fields, and RFC 3339 times', async () => {
  const { url, source } = await startBroker();
  using client = await RawClient.authenticated(url, { 'Content-Type': 'application/json' });
  await client.request({ action: 'subscribe', trades: ['*'], quotes: ['*'] });
  source.push(trade(126.55), quote(126));
  expect(await client.next()).toEqual([
    { ...complete.trade, t: time },
    { ...complete.quote, t: time },
  ]);
});

it('msgpack frames have the same fields, and msgpack timestamps', async () => {
  const { url, source } = await startBroker();
  using client = await RawClient.authenticated(url, MSGPACK);
  await client.request({ action: 'subscribe', trades: ['*'], quotes: ['*'] });
  source.push(trade(126.55), quote(126));
  expect(await client.next()).toEqual([
    { ...complete.trade, t: new Date(time) },
    { ...complete.quote, t: new Date(time) },
  ]);
});

it('numbers the trades', async () => {
  const { url, source } = await startBroker();
  using client = await RawClient.authenticated(url);
  await client.request({ action: 'subscribe', trades: ['*'] });
  source.push(trade(1), quote(1), trade(2));
  source.push(trade(3));
  expect(await client.take(2)).toMatchObject([[{ i: 1 }, { i: 2 }], [{ i: 3 }]]);
});
