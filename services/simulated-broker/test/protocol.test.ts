// The protocol as a client meets it: greeting, authentication, subscriptions, messages, every error code.

import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type SimulatedBroker, type SimulatedBrokerOptions, startSimulatedBroker } from '../broker.ts';
import { ManualSource, quote, trade } from './manual-source.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';

const MSGPACK = { 'Content-Type': 'application/msgpack' };
const CONNECTED = [{ T: 'success', msg: 'connected' }];
const AUTHENTICATED = [{ T: 'success', msg: 'authenticated' }];
const NO_SUBSCRIPTIONS = {
  T: 'subscription',
  trades: [],
  quotes: [],
  bars: [],
  updatedBars: [],
  dailyBars: [],
  statuses: [],
  lulds: [],
  imbalances: [],
  corrections: [],
  cancelErrors: [],
};

const source = { current: new ManualSource() };
const opened: SimulatedBroker[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((broker) => broker.close()));
});

async function start(options: SimulatedBrokerOptions = {}): Promise<SimulatedBroker> {
  source.current = new ManualSource();
  const broker = await startSimulatedBroker({ source: source.current, ...options });
  opened.push(broker);
  return broker;
}

function error(code: number, msg: string): unknown {
  return [{ T: 'error', code, msg }];
}

describe('authentication', () => {
  it('greets and accepts a message with the right key', async () => {
    const { url } = await start();
    using client = await RawClient.connect(url);
    expect(await client.next()).toEqual(CONNECTED);
    client.authenticate();
    expect(await client.next()).toEqual(AUTHENTICATED);
  });

  it('accepts the HTTP headers in place of the message', async () => {
    const { url } = await start({ key: 'k', secret: 's' });
    using client = await RawClient.connect(url, { 'APCA-API-KEY-ID': 'k', 'APCA-API-SECRET-KEY': 's' });
    expect(await client.take(2)).toEqual([CONNECTED, AUTHENTICATED]);
  });

  it('answers 402 to a wrong secret, in a message or in headers, and closes', async () => {
    const broker = await start();
    using byMessage = await RawClient.connect(broker.url);
    using byHeader = await RawClient.connect(broker.url, {
      'APCA-API-KEY-ID': 'k',
      'APCA-API-SECRET-KEY': 's',
    });
    byMessage.authenticate({ key: 'local-key', secret: 'wrong' });
    for (const client of [byMessage, byHeader]) {
      expect(await client.take(2)).toEqual([CONNECTED, error(402, 'auth failed')]);
      await client.closed;
    }
    expect(broker.stats.accepted).toBe(0);
  });

  it('answers 401 to a subscription before it and stays open', async () => {
    const { url } = await start();
    using client = await RawClient.connect(url);
    await client.next();
    expect(await client.request({ action: 'subscribe', trades: ['AAPL'] })).toEqual(
      error(401, 'not authenticated'),
    );
    client.authenticate();
    expect(await client.next()).toEqual(AUTHENTICATED);
  });

  it('answers 403 to a second one and stays open', async () => {
    const { url } = await start();
    using client = await RawClient.authenticated(url);
    client.authenticate();
    expect(await client.next()).toEqual(error(403, 'already authenticated'));
    expect(await client.request({ action: 'subscribe' })).toEqual([NO_SUBSCRIPTIONS]);
  });

  it('answers 404 when it does not come in time, and closes', async () => {
    const { url } = await start({ authTimeoutMs: 20 });
    using client = await RawClient.connect(url);
    expect(await client.take(2)).toEqual([CONNECTED, error(404, 'auth timeout')]);
    await client.closed;
  });

  it('is not timed out once it has come', async () => {
    const { url } = await start({ authTimeoutMs: 20, key: 'k', secret: 's' });
    using inTime = await RawClient.connect(url, { 'APCA-API-KEY-ID': 'k', 'APCA-API-SECRET-KEY': 's' });
    await inTime.take(2);
    using later = await RawClient.connect(url);
    expect(await later.take(2)).toEqual([CONNECTED, error(404, 'auth timeout')]);
    expect(await inTime.request({ action: 'subscribe' })).toEqual([NO_SUBSCRIPTIONS]);
  });

  it('answers 409 on a feed outside the plan, and closes', async () => {
    const { url } = await start();
    using client = await RawClient.connect(url.replace('iex', 'sip'));
    await client.next();
    client.authenticate();
    expect(await client.next()).toEqual(error(409, 'insufficient subscription'));
    await client.closed;
  });

  it('refuses an unknown path with HTTP 404', async () => {
    const { port } = await start();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/last`);
    const [failure] = await once(socket, 'error');
    expect(String(failure)).toContain('404');
  });
});

describe('the connection limit', () => {
  it('answers 406 to the second connection after its authentication, and the first one lives on', async () => {
    const broker = await start();
    using first = await RawClient.authenticated(broker.url);
    using second = await RawClient.connect(broker.url);
    expect(await second.next()).toEqual(CONNECTED);
    second.authenticate();
    expect(await second.next()).toEqual(error(406, 'connection limit exceeded'));
    await second.closed;
    await first.request({ action: 'subscribe', trades: ['AAPL'] });
    source.current.push(trade(150));
    expect(await first.next()).toMatchObject([{ T: 't', p: 150 }]);
    expect(broker.stats).toEqual({
      connections: 1,
      maxConcurrent: 1,
      accepted: 1,
      refused: 1,
      messagesSent: 1,
    });
  });

  it('lets the next one in when the first has gone', async () => {
    const broker = await start();
    const first = await RawClient.authenticated(broker.url);
    first.socket.close();
    await first.closed;
    await vi.waitFor(() => expect(broker.stats.connections).toBe(0));
    using second = await RawClient.connect(broker.url);
    second.authenticate();
    expect(await second.take(2)).toEqual([CONNECTED, AUTHENTICATED]);
    expect(broker.stats).toMatchObject({ connections: 1, maxConcurrent: 1, accepted: 2, refused: 0 });
  });

  it.each([
    [60_000, 'refused'],
    [5, 'let in'],
  ])('counts one that has ended for another %i ms: the next one is %s', async (releaseMs, fate) => {
    const broker = await start({ releaseMs });
    const first = await RawClient.authenticated(broker.url);
    first.socket.close();
    await first.closed;
    const answer = async () => {
      using next = await RawClient.connect(broker.url);
      next.authenticate();
      return JSON.stringify((await next.take(2))[1]);
    };
    if (fate === 'refused') expect(await answer()).toContain('406');
    else while (!(await answer()).includes('authenticated'));
    expect(broker.stats.maxConcurrent).toBe(1);
  });

  it('counts each feed by itself and allows as many as it is told', async () => {
    const broker = await start({ maxConnections: 2 });
    using _one = await RawClient.authenticated(broker.url);
    using _two = await RawClient.authenticated(broker.url);
    using _other = await RawClient.authenticated(broker.url.replace('iex', 'test'));
    expect(broker.stats).toMatchObject({ connections: 3, maxConcurrent: 3, refused: 0 });
  });
});

describe('subscriptions', () => {
  it('acknowledges each change with the full lists', async () => {
    const { url } = await start();
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

  it('sends only what is subscribed to, as one frame a batch', async () => {
    const { url } = await start();
    using client = await RawClient.authenticated(url);
    await client.request({ action: 'subscribe', trades: ['AAPL'], quotes: ['*'] });
    source.current.push(trade(1), trade(2, 'MSFT'), quote(3), quote(4, 'MSFT'), trade(5));
    expect(await client.next()).toMatchObject([
      { T: 't', S: 'AAPL', p: 1 },
      { T: 'q', S: 'AAPL', bp: 3 },
      { T: 'q', S: 'MSFT', bp: 4 },
      { T: 't', S: 'AAPL', p: 5 },
    ]);
    await client.request({ action: 'unsubscribe', trades: ['AAPL'], quotes: ['*'] });
    source.current.push(trade(6), quote(7));
    await client.roundTrip();
    expect(client.pending).toBe(0);
  });

  it('answers 400 to what is no message of the protocol and stays open', async () => {
    const { url } = await start();
    using client = await RawClient.authenticated(url);
    const invalid = error(400, 'invalid syntax');
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

  it('answers 405 past the symbol limit and keeps the subscriptions as they were', async () => {
    const { url } = await start({ symbolLimit: 2 });
    using client = await RawClient.authenticated(url);
    const limit = error(405, 'symbol limit exceeded');
    const kept = { trades: ['AAPL'], corrections: ['AAPL'], cancelErrors: ['AAPL'], quotes: ['AAPL'] };
    await client.request({ action: 'subscribe', trades: ['AAPL'], quotes: ['AAPL'] });
    expect(await client.request({ action: 'subscribe', trades: ['MSFT'] })).toEqual(limit);
    expect(await client.request({ action: 'subscribe', quotes: ['*'] })).toEqual(limit);
    expect(await client.request({ action: 'subscribe', bars: ['A', 'B', 'C'] })).toEqual([
      { ...NO_SUBSCRIPTIONS, ...kept, bars: ['A', 'B', 'C'] },
    ]);
  });

  it('answers 410 to a channel that the stock feeds do not have', async () => {
    const { url } = await start();
    using client = await RawClient.authenticated(url);
    const foreign = error(410, 'invalid subscribe action for this feed');
    expect(await client.request({ action: 'subscribe', trades: ['AAPL'], orderbooks: ['AAPL'] })).toEqual(
      foreign,
    );
    expect(await client.request({ action: 'unsubscribe', news: ['*'] })).toEqual(foreign);
    expect(await client.request({ action: 'subscribe' })).toEqual([NO_SUBSCRIPTIONS]);
  });
});

describe('messages', () => {
  const complete = {
    trade: { T: 't', i: 1, S: 'AAPL', x: 'V', p: 126.55, s: 10, c: ['@'], z: 'C' },
    quote: { T: 'q', S: 'AAPL', bx: 'V', bp: 126, bs: 2, ax: 'V', ap: 127, as: 3, c: ['R'], z: 'C' },
  };
  const time = '2026-01-02T15:30:00.208Z';

  it('are complete in JSON, with RFC-3339 times', async () => {
    const { url } = await start();
    using client = await RawClient.authenticated(url, { 'Content-Type': 'application/json' });
    await client.request({ action: 'subscribe', trades: ['*'], quotes: ['*'] });
    source.current.push(trade(126.55), quote(126));
    expect(await client.next()).toEqual([
      { ...complete.trade, t: time },
      { ...complete.quote, t: time },
    ]);
  });

  it('are the same in msgpack, with timestamps of its own kind', async () => {
    const { url } = await start();
    using client = await RawClient.authenticated(url, MSGPACK);
    await client.request({ action: 'subscribe', trades: ['*'], quotes: ['*'] });
    source.current.push(trade(126.55), quote(126));
    expect(await client.next()).toEqual([
      { ...complete.trade, t: new Date(time) },
      { ...complete.quote, t: new Date(time) },
    ]);
  });

  it('number the trades', async () => {
    const { url } = await start();
    using client = await RawClient.authenticated(url);
    await client.request({ action: 'subscribe', trades: ['*'] });
    source.current.push(trade(1), quote(1), trade(2));
    source.current.push(trade(3));
    expect(await client.take(2)).toMatchObject([[{ i: 1 }, { i: 2 }], [{ i: 3 }]]);
  });
});

describe('a client that does not read', () => {
  async function startWithSlowClient() {
    let sayRefused = () => {};
    const refused = new Promise<void>((resolve) => {
      sayRefused = resolve;
    });
    const logger = pino({}, { write: (line: string) => line.includes('"code":407') && sayRefused() });
    const broker = await start({ logger, maxBufferedBytes: 64 * 1024 });
    const client = await RawClient.authenticated(broker.url);
    await client.request({ action: 'subscribe', trades: ['*'] });
    client.socket.pause();
    let flooding = true;
    void refused.then(() => {
      flooding = false;
    });
    const batch = Array.from({ length: 1_000 }, (_, at) => trade(at));
    while (flooding) {
      source.current.push(...batch);
      await setImmediate();
    }
    return { broker, client };
  }

  it('is told 407 and closed', async () => {
    const { client } = await startWithSlowClient();
    client.socket.resume();
    await client.closed;
    const frames = await client.take(client.pending);
    expect(frames.at(-1)).toEqual(error(407, 'slow client'));
  });

  it('is cut off when it does not read that either, and gives its place back', async () => {
    const { broker, client } = await startWithSlowClient();
    await vi.waitFor(() => expect(broker.stats.connections).toBe(0), { timeout: 4_000 });
    client.socket.terminate();
    using next = await RawClient.connect(broker.url);
    next.authenticate();
    expect(await next.take(2)).toEqual([CONNECTED, AUTHENTICATED]);
  });
});

describe('the broker itself', () => {
  it('tells every client 500 and closes when the price source fails', async () => {
    const { url } = await start();
    using client = await RawClient.authenticated(url);
    await client.request({ action: 'subscribe', trades: ['*'] });
    source.current.fail(new Error('out of prices'));
    expect(await client.next()).toEqual(error(500, 'internal error'));
    await client.closed;
  });

  it('closes its clients with 1001 when it is closed, as often as it is asked to', async () => {
    const broker = await start();
    const client = await RawClient.authenticated(broker.url);
    await Promise.all([broker.close(), broker.close()]);
    expect(await client.closed).toBe(1001);
    await broker.close();
  });

  it('says so when its port is taken', async () => {
    const { port } = await start();
    await expect(startSimulatedBroker({ port })).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
  });
});
