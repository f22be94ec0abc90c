// Venues with a keepalive of their own: the example mapping for HTX, and text pings as of OKX.

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadMapping } from '../../feeds/mapping-module.ts';
import type { Mapping } from '../../mapping.ts';
import { AT, trade } from '../gateway.fixture.ts';
import { startHtxVenue } from './htx-venue.fixture.ts';
import { startVenueServer } from './venue-server.fixture.ts';
import { observe } from './websocket-feed.fixture.ts';

const HTX_EXAMPLE = fileURLToPath(new URL('../../../../examples/htx-mapping.mjs', import.meta.url));

const BBO = {
  ch: 'market.btcusdt.bbo',
  ts: AT + 1,
  tick: {
    seqId: 161499562790,
    ask: 16829.51,
    askSize: 0.707776,
    bid: 16829.5,
    bidSize: 1.685945,
    quoteTime: AT,
    symbol: 'btcusdt',
  },
};

const TRADES = {
  ch: 'market.btcusdt.trade.detail',
  ts: AT + 1,
  tick: {
    id: 105004645372,
    ts: AT,
    data: [
      {
        id: 1.050046453727319e22,
        ts: AT,
        tradeId: 102090727790,
        amount: 0.003893,
        price: 9150.01,
        direction: 'sell',
      },
      {
        id: 1.050046453727319e22,
        ts: AT + 1,
        tradeId: 102090727791,
        amount: 2,
        price: 9150.02,
        direction: 'buy',
      },
    ],
  },
};

async function connectHtx(symbols: readonly string[]) {
  const venue = await startHtxVenue(['btcusdt', 'ethusdt']);
  // Larger than any test takes, so that only the venue's own keepalive counts.
  const observed = observe({ url: venue.url, mapping: await loadMapping(HTX_EXAMPLE), pingMs: 0 }, symbols);
  return { venue, observed };
}

it('reports quotes and trades of gzip frames, and which instruments HTX serves', async () => {
  const { venue, observed } = await connectHtx(['btcusdt', 'nosuch']);
  await observed.subscribed.until((symbols) => symbols.length === 1);
  venue.publish(BBO);
  venue.publish(TRADES);
  await observed.events.until(() => observed.events.all.length === 3);
  expect(observed.events.all).toEqual([
    {
      kind: 'quote',
      symbol: 'btcusdt',
      bid: 16829.5,
      bid_size: 1.685945,
      ask: 16829.51,
      ask_size: 0.707776,
      timestamp: AT,
    },
    {
      kind: 'trade',
      symbol: 'btcusdt',
      price: 9150.01,
      size: 0.003893,
      timestamp: AT,
      trade_id: '102090727790',
      taker_side: 'sell',
    },
    {
      kind: 'trade',
      symbol: 'btcusdt',
      price: 9150.02,
      size: 2,
      timestamp: AT + 1,
      trade_id: '102090727791',
      taker_side: 'buy',
    },
  ]);
  // Neither topic alone counts as the whole instrument.
  expect(observed.subscribed.all).toEqual([[], ['btcusdt']]);
  expect(observed.refusals.all[0]).toEqual({
    symbol: 'nosuch',
    code: 'bad-request',
    isUnknown: true,
    reason: 'HTX: invalid symbol nosuch.',
  });
  expect(observed.invalid.all).toEqual([]);
  expect(observed.feed.venue).toBe('htx');
  // The recorder gets the decoded frames, so that a recording replays without a decoder.
  expect(observed.raw.all.map(({ json }) => json)).toContain(JSON.stringify(BBO));
});

it('answers the pings of HTX, so that it keeps the connection open; pings confirm no price', async () => {
  const { venue, observed } = await connectHtx(['btcusdt']);
  await observed.subscribed.until((symbols) => symbols.length === 1);
  for (let id = 1; id <= 6; id++) {
    venue.ping(id);
    await venue.received.until((text) => text === `{"pong":${id}}`);
  }
  expect(observed.states.all).toEqual([{ type: 'connecting' }, { type: 'live' }]);
  expect(observed.frames).toBe(0);
  // Two confirmations and six pings.
  await expect.poll(() => observed.heartbeats).toBe(8);
});

it('is disconnected by HTX if the mapping does not answer pings, and reconnects', async () => {
  const venue = await startHtxVenue(['btcusdt']);
  const { decode } = await loadMapping(HTX_EXAMPLE);
  const silent = { read: () => undefined, decode: decode as NonNullable<Mapping['decode']> };
  const observed = observe({ url: venue.url, mapping: silent, pingMs: 0 }, []);
  await observed.state('live');
  for (let id = 1; id <= 3; id++) venue.ping(id);
  expect(await observed.state('down')).toMatchObject({
    code: 1003,
    reason: 'The server closed the connection (1003, ping check expired).',
  });
  await observed.state('live', 3);
});

it('subscribes again on the next connection, and counts only its confirmations', async () => {
  const { venue, observed } = await connectHtx(['btcusdt']);
  await observed.subscribed.until((symbols) => symbols.length === 1);
  for (const socket of venue.sockets.all) socket.terminate();
  await observed.state('live', 3);
  await observed.subscribed.until((symbols) => symbols.length === 1, 2);
  expect(observed.subscribed.all).toEqual([[], ['btcusdt'], [], ['btcusdt']]);
});

interface OkxTrades {
  readonly data: readonly [Record<'instId' | 'px' | 'sz' | 'ts', string>];
}

/** OKX answers the text `ping` with the text `pong`; all other frames are JSON, with numbers as text. */
const OKX_STYLE: Mapping = {
  ping: () => 'ping',
  decode: (bytes) => bytes,
  read(frame) {
    if (frame === 'pong') return { kind: 'heartbeat' };
    const [{ instId: symbol, px: price, sz: size, ts: timestamp }] = (frame as OkxTrades).data;
    return { kind: 'trade', symbol, price, size, timestamp };
  },
};

it('accepts a text pong as a sign of life, and prices and times as text', async () => {
  const venue = await startVenueServer({
    onConnection: (client) => client.on('message', (data) => String(data) === 'ping' && client.send('pong')),
  });
  const observed = observe({ url: venue.url, mapping: OKX_STYLE, pingMs: 100 }, ['BTC-USDT']);
  const socket = await venue.sockets.until(() => true);
  await venue.received.until(() => venue.received.all.length >= 4);
  socket.send(JSON.stringify({ data: [{ instId: 'BTC-USDT', px: '42219.9', sz: '0.12', ts: `${AT}` }] }));
  await observed.events.until(() => true);
  expect(observed.events.all).toEqual([{ ...trade(42_219.9, 'BTC-USDT'), size: 0.12 }]);
  expect(observed.invalid.all).toEqual([]);
  expect(observed.attempts.all).toHaveLength(1);
  expect(observed.raw.all.map(({ dir, json }) => `${dir} ${json}`)).toContain('in "pong"');
});
