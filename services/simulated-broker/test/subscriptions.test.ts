// Subscriptions: acknowledgements, filtering, and the errors 400, 405 and 410.

import { expect, it } from 'vitest';
import { errorFrame, NO_SUBSCRIPTIONS, startBroker } from './broker.fixture.ts';
import { quote, trade } from './manual-source.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';

it('acknowledges each change with the full lists', async () => {
  const { url } = await startBroker();
  using client = await RawClient.authenticated(url);
  const subscribed = await client.request({
    action: 'subscribe',
    trades: ['AAPL'],
    quotes: ['AMD', 'CLDR'],
    bars: ['*'],
  });
  const lists = {
    trades: ['AAPL'],
    corrections: ['AAPL'],
    cancelErrors: ['AAPL'],
    quotes: ['AMD', 'CLDR'],
  };
  expect(subscribed).toEqual([{ ...NO_SUBSCRIPTIONS, ...lists, bars: ['*'] }]);
  const unsubscribed = await client.request({ action: 'unsubscribe', bars: ['*'], quotes: ['AMD'] });
  expect(unsubscribed).toEqual([{ ...NO_SUBSCRIPTIONS, ...lists, quotes: ['CLDR'] }]);
});

it('sends subscribed symbols only, one frame per batch', async () => {
  const { url, source } = await startBroker();
  using client = await RawClient.authenticated(url);
  await client.request({ action: 'subscribe', trades: ['AAPL'], quotes: ['*'] });
  source.push(trade(1), trade(2, 'MSFT'), quote(3), quote(4, 'MSFT'), trade(5));
  expect(await client.next()).toMatchObject([
    { T: 't', S: 'AAPL', p: 1 },
    { T: 'q', S: 'AAPL', bp: 3 },
    { T: 'q', S: 'MSFT', bp: 4 },
    { T: 't', S: 'AAPL', p: 5 },
  ]);
  await client.request({ action: 'unsubscribe', trades: ['AAPL'], quotes: ['*'] });
  source.push(trade(6), quote(7));
  await client.roundTrip();
  expect(client.pending).toBe(0);
});

it('rejects an invalid message with 400, and stays open', async () => {
  const { url } = await startBroker();
  using client = await RawClient.authenticated(url);
  const invalid = errorFrame(400, 'invalid syntax');
  client.socket.send('{"action":');
  expect(await client.next()).toEqual(invalid);
  client.socket.send(Buffer.from([0xc1]));
  expect(await client.next()).toEqual(invalid);
  expect(await client.request([])).toEqual(invalid);
  expect(await client.request({ action: 'listen' })).toEqual(invalid);
  expect(await client.request({ action: 'auth', key: 1 })).toEqual(invalid);
  expect(await client.request({ action: 'subscribe', trades: 'AAPL' })).toEqual(invalid);
  expect(await client.request({ action: 'subscribe', trades: ['A B'] })).toEqual(invalid);
  expect(await client.request({ action: 'subscribe' })).toEqual([NO_SUBSCRIPTIONS]);
});

it('rejects symbols past the limit with 405, and keeps the subscriptions', async () => {
  const { url } = await startBroker({ symbolLimit: 2 });
  using client = await RawClient.authenticated(url);
  const limit = errorFrame(405, 'symbol limit exceeded');
  const kept = { trades: ['AAPL'], corrections: ['AAPL'], cancelErrors: ['AAPL'], quotes: ['AAPL'] };
  await client.request({ action: 'subscribe', trades: ['AAPL'], quotes: ['AAPL'] });
  expect(await client.request({ action: 'subscribe', trades: ['MSFT'] })).toEqual(limit);
  expect(await client.request({ action: 'subscribe', quotes: ['*'] })).toEqual(limit);
  expect(await client.request({ action: 'subscribe', bars: ['A', 'B', 'C'] })).toEqual([
    { ...NO_SUBSCRIPTIONS, ...kept, bars: ['A', 'B', 'C'] },
  ]);
});

it('rejects a channel that the stock feeds lack with 410', async () => {
  const { url } = await startBroker();
  using client = await RawClient.authenticated(url);
  const unknownChannel = errorFrame(410, 'invalid subscribe action for this feed');
  expect(await client.request({ action: 'subscribe', trades: ['AAPL'], orderbooks: ['AAPL'] })).toEqual(
    unknownChannel,
  );
  expect(await client.request({ action: 'unsubscribe', news: ['*'] })).toEqual(unknownChannel);
  expect(await client.request({ action: 'subscribe' })).toEqual([NO_SUBSCRIPTIONS]);
});
