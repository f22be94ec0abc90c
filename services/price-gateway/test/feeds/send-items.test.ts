// `send` items of a mapping: answers on the same connection, their limit, their errors, and the secrets in them.

import { expect, it } from 'vitest';
import { encodeMessage } from '../../feeds/venue-message.ts';
import type { Mapping } from '../../mapping.ts';
import { trade } from '../gateway.fixture.ts';
import { startVenueServer } from './venue-server.fixture.ts';
import { observe } from './websocket-feed.fixture.ts';

async function connect(read: Mapping['read'], more: Partial<Mapping> = {}) {
  const venue = await startVenueServer();
  const observed = observe({ url: venue.url, mapping: { read, ...more }, pingMs: 0 }, ['AAPL']);
  const socket = await venue.sockets.until(() => true);
  await observed.state('live');
  return { venue, observed, socket };
}

/** Answers each ping frame, and requests what a gap in the sequence left out. */
function sequenced(): Mapping['read'] {
  let last = 0;
  return (frame) => {
    const { ping, seq, price } = frame as Record<string, number>;
    if (ping !== undefined) return { kind: 'send', message: { pong: ping } };
    const missed = Number(seq) - last - 1;
    last = Number(seq);
    const event = trade(Number(price));
    return missed > 0 ? [{ kind: 'send', message: `resend ${missed} before ${seq}` }, event] : event;
  };
}

it('sends objects as JSON and strings unchanged, in order, and records them', async () => {
  const { venue, observed, socket } = await connect(sequenced());
  for (const frame of [{ ping: 7 }, { seq: 1, price: 1 }, { seq: 4, price: 2 }, { ping: 8 }])
    socket.send(JSON.stringify(frame));
  await venue.received.until((text) => text === '{"pong":8}');
  expect(venue.received.all).toEqual(['{"pong":7}', 'resend 2 before 4', '{"pong":8}']);
  expect(observed.events.all).toEqual([trade(1), trade(2)]);
  expect(observed.raw.all.filter(({ dir }) => dir === 'out').map(({ json }) => json)).toEqual([
    '{"pong":7}',
    '"resend 2 before 4"',
    '{"pong":8}',
  ]);
  expect(venue.sockets.all).toHaveLength(1);
});

const RULE = 'message must be an object to send as JSON, or a string, but was';
const NOT_JSON = 'message must be an object that JSON can express: no cycle, no bigint';
const cyclic: { self?: object } = {};
cyclic.self = cyclic;

it.each([
  ['undefined', undefined, `${RULE} undefined`],
  ['null', null, `${RULE} null`],
  ['a number', 5, `${RULE} a number`],
  ['a function', () => 'x', `${RULE} a function`],
  ['bytes', Buffer.from('secret'), `${RULE} bytes`],
  ['a promise', Promise.resolve({}), `${RULE} a promise`],
  ['a cycle', cyclic, NOT_JSON],
  ['a bigint', { id: 1n }, NOT_JSON],
  ['an object without JSON', { toJSON: (): undefined => undefined }, NOT_JSON],
])('refuses to send %s, and delivers the other items of the frame', async (_what, message, reason) => {
  const { venue, observed, socket } = await connect(() => [{ kind: 'send', message } as never, trade(1)]);
  socket.send('{}');
  await observed.events.until(() => true);
  expect(observed.invalid.all).toEqual([`The mapping returned an invalid item: ${reason}.`]);
  expect(venue.received.all).toEqual([]);
  expect(observed.attempts.all).toHaveLength(1);
});

it('goes down permanently if `open` returns something that cannot be sent', async () => {
  const venue = await startVenueServer();
  const mapping: Mapping = { read: () => undefined, open: () => 5 as never };
  const observed = observe({ url: venue.url, mapping }, ['AAPL']);
  expect(await observed.state('down')).toMatchObject({
    reason: `The function open of the mapping failed: ${RULE} a number. Correct it, then restart the gateway.`,
    retryable: false,
  });
});

it('ends a connection that makes the mapping send more messages than the limit', async () => {
  const { venue, observed, socket } = await connect(sequenced());
  for (let ping = 1; ping <= 150; ping++) socket.send(JSON.stringify({ ping }));
  expect(await observed.state('down')).toEqual({
    type: 'down',
    code: undefined,
    reason:
      'The mapping returned more send items than permitted, 100 messages or 1 MiB in 10 s. ' +
      'Combine them, or send fewer.',
    retryable: true,
  });
  await observed.state('live', 3);
  expect(venue.received.all).toHaveLength(100);
  // A limit of its own for each connection.
  venue.sockets.all[1]?.send(JSON.stringify({ ping: 200 }));
  await venue.received.until((text) => text === '{"pong":200}');
});

it('limits the bytes of the messages, which a venue can determine', async () => {
  const { venue, observed, socket } = await connect((frame) => ({ kind: 'send', message: { pong: frame } }));
  const nonce = JSON.stringify('x'.repeat(400_000));
  for (let ping = 1; ping <= 3; ping++) socket.send(nonce);
  expect((await observed.state('down')).reason).toContain('100 messages or 1 MiB in 10 s');
  expect(venue.received.all.length).toBeLessThanOrEqual(2);
});

it('masks the secrets of messages that it sends in everything that it reports', async () => {
  const subscribe = () => ({ op: 'subscribe', token: 'first-token-4711' });
  const read: Mapping['read'] = (frame) => {
    const { nonce } = frame as { nonce?: string };
    if (nonce === undefined) throw new Error(`cannot read ${JSON.stringify(frame)}`);
    return { kind: 'send', message: { op: 'renew', signature: `signed-${nonce}-0815` } };
  };
  const { observed, socket } = await connect(read, { subscribe });
  for (let nonce = 1; nonce <= 40; nonce++) socket.send(JSON.stringify({ nonce: `n${nonce}` }));
  socket.send(JSON.stringify({ echo: 'first-token-4711 signed-n40-0815' }));
  expect(await observed.invalid.until(() => true)).toBe(
    'The mapping cannot parse a frame: cannot read {"echo":"*** ***"}',
  );
  socket.close(1008, 'bad signed-n40-0815');
  expect((await observed.state('down')).reason).toBe('The server closed the connection (1008, bad ***).');
});

it('names nothing of a message that cannot be encoded', () => {
  const message = {
    toJSON() {
      throw new Error('my-s3cret-value');
    },
  };
  expect(() => encodeMessage(message)).toThrow(NOT_JSON);
});
