// Brokers that send hostile content: echoed secrets, symbols that nobody requested, and malformed messages.

import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { afterEach, expect, it } from 'vitest';
import { codecFor } from '../../../simulated-broker/codec.ts';
import { createAlpacaFeed } from '../../feeds/alpaca-feed.ts';
import { createWebSocketFeed } from '../../feeds/websocket-feed.ts';
import type { FrameItem, Mapping } from '../../mapping.ts';
import { CREDENTIALS, ManualMarket, trade } from '../gateway.fixture.ts';
import { frame, HostileServer, OPCODES } from './hostile-server.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

const TOKEN = 'tok-4f1a9c77b2';
const cleanUps: (() => PromiseLike<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A WebSocket feed whose frames are lists of items, and whose URL contains a token. */
async function webSocket(
  symbols: readonly string[],
  answer?: Parameters<typeof HostileServer.start>[0],
  open?: Mapping['open'],
) {
  const server = await HostileServer.start(answer);
  cleanUps.push(() => server[Symbol.asyncDispose]());
  const mapping = { read: (items: unknown) => items as FrameItem[], ...(open && { open }) };
  const observed = new ObservedFeed(
    createWebSocketFeed({ url: `${server.url}?token=${TOKEN}`, mapping }),
    symbols,
  );
  cleanUps.push(() => observed.feed.close(0));
  const { socket } = await server.victims.until(() => true);
  return { observed, socket, send: (content: string) => socket.write(frame(OPCODES.text, content)) };
}

async function alpaca(symbols: readonly string[]) {
  const broker = await startSimulatedBroker({ source: new ManualMarket() });
  cleanUps.push(() => broker.close());
  const observed = new ObservedFeed(createAlpacaFeed({ url: broker.url, ...CREDENTIALS }), symbols);
  cleanUps.push(() => observed.feed.close(0));
  await observed.state('live');
  const { encode } = codecFor('application/msgpack');
  return {
    observed,
    send: (messages: readonly unknown[]) => broker.faults.sendFrame(encode(messages as never)),
  };
}

it.each([
  ['in a frame that is not JSON', (text: string) => `bad token ${text}`],
  ['at the place where the text is cut', (text: string) => `${'x'.repeat(193)}${text}`],
])('masks a secret that the server echoes %s', async (_what, content) => {
  const { observed, send } = await webSocket(['AAPL']);
  send(content(TOKEN));
  expect(await observed.invalid.until(() => true)).not.toContain('tok-');
});

it.each([
  ['an object', { action: 'auth', key: 'my-key', secret: 'my-s3cret-value' }],
  ['a text', JSON.stringify({ op: 'login', args: ['my-key', 'my-s3cret-value'] })],
])('masks the secrets of a login that the mapping sends as %s', async (_what, message) => {
  const { observed, send } = await webSocket(['AAPL'], undefined, () => message);
  await observed.state('live');
  send('bad my-key my-s3cret-value');
  expect(await observed.invalid.until(() => true)).toBe('The frame is not JSON: bad *** ***');
});

it('masks a secret in a close reason, also in base64', async () => {
  const { observed, socket } = await webSocket(['AAPL']);
  const reason = `no ${TOKEN} ${Buffer.from(`user:${TOKEN}`).toString('base64')}`;
  socket.write(frame(0x8, Buffer.concat([Buffer.from([0x03, 0xf0]), Buffer.from(reason)])));
  const down = await observed.state('down');
  expect(down.code).toBe(1008);
  expect(down.reason).toMatch(
    /^The server closed the connection \(1008, no \*\*\* [\w+/]{0,8}\*\*\*[\w=]{0,4}\)\.$/,
  );
});

it('masks secrets in the reason and the code of the items of a mapping, and escapes them', async () => {
  const { observed, send } = await webSocket(['AAPL']);
  const reason = `key ${encodeURIComponent(TOKEN)}\u001b[2J\u202e`;
  send(JSON.stringify([{ kind: 'refused', symbol: 'AAPL', code: `E-${TOKEN}`, reason }]));
  const refusal = await observed.refusals.until(() => true);
  expect(refusal).toMatchObject({ code: 'E-***', reason: 'key ***\\u001b[2J\\u202e' });
  send(JSON.stringify([{ kind: 'error', code: TOKEN, reason: `${reason}${'y'.repeat(100_000)}` }]));
  const down = await observed.state('down');
  expect(down.code).toBe('***');
  expect(down.reason).not.toContain('tok-');
  expect(down.reason.length).toBeLessThan(700);
});

it("masks Alpaca's key and secret in an error of the broker, and keeps the advice", async () => {
  const { observed, send } = await alpaca(['AAPL']);
  send([
    {
      T: 'error',
      code: 402,
      msg: `key ${CREDENTIALS.key} secret ${CREDENTIALS.secret} ${'z'.repeat(5_000)}`,
    },
  ]);
  const down = await observed.state('down');
  expect(down.reason).toMatch(
    /^The broker answered 402 key \*\*\* secret \*\*\* z+\.\.\. \(\d+ characters\)\. Check/,
  );
  expect(down.reason).not.toMatch(/local-/);
});

it.each(['websocket', 'alpaca'] as const)(
  'the %s feed drops 50,000 symbols that nobody requested, and counts them',
  async (name) => {
    const unrequested = Array.from({ length: 10_000 }, (_, index) => `S${index}`);
    const { observed, send } =
      name === 'alpaca'
        ? await alpaca(['AAPL']).then(({ observed, send }) => ({
            observed,
            send: (symbols: readonly string[]) =>
              send(symbols.map((S) => ({ T: 't', S, p: 1, s: 1, t: new Date(1_000) }))),
          }))
        : await webSocket(['AAPL']).then(({ observed, send }) => ({
            observed,
            send: (symbols: readonly string[]) => send(JSON.stringify(symbols.map((one) => trade(1, one)))),
          }));
    for (let part = 0; part < 5; part++) send(unrequested.map((symbol) => `${symbol}-${part}`));
    send(['AAPL']);
    await observed.events.until(() => true);
    expect(observed.events.all.map(({ symbol }) => symbol)).toEqual(['AAPL']);
    expect(observed.unrequested).toBe(50_000);
  },
);

it('the alpaca feed serves the first symbols if a list of all would exceed a message, and refuses the rest', async () => {
  const invented = Array.from({ length: 40_000 }, (_, index) => `INVENTED-SYMBOL-${index}`);
  const { observed, send } = await alpaca(['AAPL', ...invented]);
  send([{ T: 't', S: 'AAPL', p: 1, s: 1, t: new Date(1_000) }]);
  await observed.events.until(() => true);
  const refused = new Set(observed.refusals.all.map(({ symbol }) => symbol));
  expect(refused.size).toBeGreaterThan(10_000);
  expect(refused).not.toContain('AAPL');
  expect(refused).toContain(invented.at(-1));
  expect(observed.states.all.map(({ type }) => type)).toEqual(['connecting', 'live']);
});

it('ignores acknowledgements and refusals of symbols that nobody requested', async () => {
  const { observed, send } = await webSocket(['AAPL']);
  const symbols = Array.from({ length: 10_000 }, (_, index) => `S${index}`);
  send(JSON.stringify([{ kind: 'subscribed', symbols: [...symbols, 'AAPL'] }]));
  send(JSON.stringify(symbols.map((symbol) => ({ kind: 'refused', symbol, reason: 'no' }))));
  send(JSON.stringify([trade(1)]));
  await observed.events.until(() => true);
  expect(observed.subscribed.all.flat().every((symbol) => symbol === 'AAPL')).toBe(true);
  expect(observed.refusals.all).toEqual([]);
});

it('the alpaca feed does not unsubscribe from symbols that it never requested', async () => {
  const { observed, send } = await alpaca(['AAPL']);
  const unrequested = ['AAPL', 'X1', 'X2'];
  send([{ T: 'subscription', trades: unrequested, quotes: unrequested }]);
  send([{ T: 't', S: 'AAPL', p: 1, s: 1, t: new Date(1_000) }]);
  await observed.events.until(() => true);
  const sent = observed.raw.all.filter(({ dir }) => dir === 'out').map(({ json }) => JSON.parse(json).action);
  expect(sent).toEqual(['auth', 'subscribe']);
});

it('the alpaca feed reads the valid messages of a frame that also contains malformed ones', async () => {
  const { observed, send } = await alpaca(['AAPL']);
  const valid = { T: 't', S: 'AAPL', p: 2, s: 1, t: new Date(1_000) };
  send([
    null,
    1,
    'x',
    { T: 't' },
    { T: 't', S: 'AAPL', p: 'high', s: {}, t: 'never' },
    { T: 'q', S: 'AAPL', t: { toDate: 1, toRFC3339: 1 } },
    { T: 'zz' },
    valid,
  ]);
  const event = await observed.events.until((one) => one.kind === 'trade' && one.price === 2);
  expect(event).toEqual({ kind: 'trade', symbol: 'AAPL', price: 2, size: 1, timestamp: 1_000 });
  expect(observed.invalid.all).toEqual(['3 messages of a frame cannot be read.']);
});

it.each([
  ['thousands of control messages in one frame', (message: object) => [Array(5_000).fill(message)]],
  ['thousands of frames with one control message', (message: object) => Array(5_000).fill([message])],
])('the alpaca feed ends a session in which the broker sends %s', async (_what, framesOf) => {
  const server = await HostileServer.start();
  cleanUps.push(() => server[Symbol.asyncDispose]());
  const observed = new ObservedFeed(createAlpacaFeed({ url: server.url, ...CREDENTIALS }), ['AAPL']);
  cleanUps.push(() => observed.feed.close(0));
  const { socket } = await server.victims.until(() => true);
  const acknowledgement = { T: 'subscription', trades: ['AAPL'], quotes: ['AAPL'] };
  const { encode } = codecFor('application/msgpack');
  const frames = framesOf(acknowledgement).map((one) => frame(OPCODES.binary, encode(one as never)));
  socket.write(Buffer.concat(frames));
  const { reason, retryable } = await observed.state('down');
  expect(reason).toBe('The broker sent more than 64 messages at once that are not prices.');
  expect(retryable).toBe(true);
  expect(observed.subscribed.all.length).toBeLessThanOrEqual(64);
});
