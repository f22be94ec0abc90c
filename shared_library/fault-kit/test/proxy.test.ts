// Each fault of the proxy, in front of a server that says back what it hears.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Random } from '@tickbus/test-kit/random';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TcpProxy } from '../proxy.ts';

const SEED = 1;
const closing: (() => unknown)[] = [];
let proxy: TcpProxy;

beforeEach(async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  proxy = await TcpProxy.start({ port: (server.address() as AddressInfo).port, random: new Random(SEED) });
  closing.push(
    () => server.close(),
    () => proxy.close(),
  );
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it('passes everything on, both ways, and the end of the connection', async () => {
  const client = await newClient();
  await client.says('hello', 'hello');
  client.socket.end();
  await client.ended;
  expect(proxy.links).toEqual([]);
  expect(proxy.accepted).toBe(1);
});

it('a blackhole swallows in one direction, the server never hears of an end, and healing resets', async () => {
  const client = await newClient();
  await client.says('a', 'a');
  const [link] = proxy.links;
  proxy.inject({ type: 'blackhole' }, 'to_client');
  const arrived = link?.toServer.untilSeen('b');
  client.socket.write('b');
  await arrived;
  await settled();
  expect(client.heard()).toBe('a');
  proxy.heal();
  await client.ended;
  expect(client.socket.errored).toMatchObject({ code: 'ECONNRESET' });
});

it('one connection only: the others go on', async () => {
  const [one, other] = [await newClient(), await newClient()];
  proxy.links[0]?.inject({ type: 'blackhole' });
  one.socket.write('x');
  await other.says('y', 'y');
  await settled();
  expect(one.heard()).toBe('');
});

it('a stall holds everything back, and healing lets it through', async () => {
  const client = await newClient();
  await client.says('a', 'a');
  proxy.inject({ type: 'stall' }, 'to_server');
  client.socket.write('b');
  await settled();
  expect(client.heard()).toBe('a');
  proxy.heal();
  await client.hears('ab');
});

it('slices, delays and throttles change nothing but the pieces and the time', async () => {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(50);
  for (const fault of [
    { type: 'slice', maxBytes: 7 },
    { type: 'delay', ms: 5, jitterMs: 5 },
    { type: 'throttle', bytesPerSecond: 100_000 },
  ] as const) {
    const client = await newClient();
    await client.says('-', '-');
    proxy.inject(fault);
    await client.says(text, `-${text}`);
    expect(client.pieces()).toBeGreaterThan(fault.type === 'delay' ? 1 : 2);
    proxy.heal();
  }
});

it('a fault goes for connections that come later too', async () => {
  proxy.inject({ type: 'blackhole' });
  const client = await newClient();
  client.socket.write('x');
  await settled();
  expect(client.heard()).toBe('');
});

it('a reset ends every connection at once; refusing ends those that come, until healed', async () => {
  const client = await newClient();
  await client.says('a', 'a');
  proxy.refuse();
  proxy.reset();
  await client.ended;
  const second = await newClient();
  second.socket.write('x');
  await second.ended;
  proxy.heal();
  await (await newClient()).says('b', 'b');
});

it('switches to another server: connections are reset, and new ones reach that server', async () => {
  const other = createServer((socket) => socket.on('error', () => {}).end('other'));
  await once(other.listen(0, '127.0.0.1'), 'listening');
  closing.push(() => other.close());
  const before = await newClient();
  await before.says('a', 'a');
  proxy.switchTo((other.address() as AddressInfo).port);
  await before.ended;
  expect(before.socket.errored).toMatchObject({ code: 'ECONNRESET' });
  await (await newClient()).hears('other');
});

it('a reply is swallowed: what was asked has been done, and nothing more is heard', async () => {
  const client = await newClient();
  await client.says('warm', 'warm');
  const swallowed = proxy.swallowReplyTo('order');
  client.socket.write('order 1');
  const link = await swallowed;
  client.socket.write('order 2');
  await settled();
  expect(client.heard()).toBe('warm');
  link.reset();
  await client.ended;
});

it('a reply is swallowed on a connection that comes after it was asked for', async () => {
  const swallowed = proxy.swallowReplyTo('order');
  const [other, client] = [await newClient(), await newClient()];
  client.socket.write('order 1');
  (await swallowed).reset();
  await client.ended;
  expect(client.heard()).toBe('');
  await other.says('order 2', 'order 2');
});

it('one pushed message of RESP vanishes, and its neighbours do not', async () => {
  const push = (text: string) => `>3\r\n$7\r\nmessage\r\n$5\r\nFILLS\r\n$${text.length}\r\n${text}\r\n`;
  const client = await newClient();
  await client.says('+OK\r\n', '+OK\r\n');
  const dropped = proxy.dropPush('two');
  client.socket.write(push('one') + push('two') + push('three'));
  await dropped;
  await client.hears(`+OK\r\n${push('one')}${push('three')}`);
});

/** Long enough for bytes on the loopback to have come, had they not been swallowed; nothing fails when it is too short. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function newClient() {
  const accepted = proxy.accepted;
  const socket: Socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
  closing.push(() => socket.destroy());
  const pieces: string[] = [];
  const heard = () => pieces.join('');
  socket.on('data', (bytes) => pieces.push(String(bytes)));
  socket.on('error', () => {});
  const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  while (proxy.accepted === accepted) await new Promise((resolve) => setImmediate(resolve));
  const hears = async (text: string) => {
    while (heard() !== text) await once(socket, 'data');
  };
  const says = async (text: string, answer: string) => {
    socket.write(text);
    await hears(answer);
  };
  return { socket, ended, heard, hears, says, pieces: () => pieces.length };
}
