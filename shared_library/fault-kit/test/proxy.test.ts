// Each fault of the proxy, in front of an echo server.

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

it('forwards both directions, and the end of the connection', async () => {
  const client = await newClient();
  await client.echoes('hello', 'hello');
  client.socket.end();
  await client.ended;
  expect(proxy.links).toEqual([]);
  expect(proxy.accepted).toBe(1);
});

it('a blackhole drops one direction, hides the end from the server, and resets on healing', async () => {
  const client = await newClient();
  await client.echoes('a', 'a');
  const [link] = proxy.links;
  proxy.inject({ type: 'blackhole' }, 'to_client');
  const arrived = link?.toServer.untilSeen('b');
  client.socket.write('b');
  await arrived;
  await settled();
  expect(client.received()).toBe('a');
  proxy.heal();
  await client.ended;
  expect(client.socket.errored).toMatchObject({ code: 'ECONNRESET' });
});

it('a fault on one connection does not affect the others', async () => {
  const [one, other] = [await newClient(), await newClient()];
  proxy.links[0]?.inject({ type: 'blackhole' });
  one.socket.write('x');
  await other.echoes('y', 'y');
  await settled();
  expect(one.received()).toBe('');
});

it('a stall holds bytes back until healing', async () => {
  const client = await newClient();
  await client.echoes('a', 'a');
  proxy.inject({ type: 'stall' }, 'to_server');
  client.socket.write('b');
  await settled();
  expect(client.received()).toBe('a');
  proxy.heal();
  await client.receives('ab');
});

it('slices, delays and throttles change only pieces and timing', async () => {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(50);
  for (const fault of [
    { type: 'slice', maxBytes: 7 },
    { type: 'delay', ms: 5, jitterMs: 5 },
    { type: 'throttle', bytesPerSecond: 100_000 },
  ] as const) {
    const client = await newClient();
    await client.echoes('-', '-');
    proxy.inject(fault);
    await client.echoes(text, `-${text}`);
    expect(client.pieces()).toBeGreaterThan(fault.type === 'delay' ? 1 : 2);
    proxy.heal();
  }
});

it('a fault applies to later connections too', async () => {
  proxy.inject({ type: 'blackhole' });
  const client = await newClient();
  client.socket.write('x');
  await settled();
  expect(client.received()).toBe('');
});

it('reset closes current connections, refuse closes new ones until healing', async () => {
  const client = await newClient();
  await client.echoes('a', 'a');
  proxy.refuse();
  proxy.reset();
  await client.ended;
  const second = await newClient();
  second.socket.write('x');
  await second.ended;
  proxy.heal();
  await (await newClient()).echoes('b', 'b');
});

it('switchTo resets connections, and new ones reach the other server', async () => {
  const other = createServer((socket) => socket.on('error', () => {}).end('other'));
  await once(other.listen(0, '127.0.0.1'), 'listening');
  closing.push(() => other.close());
  const before = await newClient();
  await before.echoes('a', 'a');
  proxy.switchTo((other.address() as AddressInfo).port);
  await before.ended;
  expect(before.socket.errored).toMatchObject({ code: 'ECONNRESET' });
  await (await newClient()).receives('other');
});

it('a dropped reply: the server executes the command, and the client receives nothing more', async () => {
  const client = await newClient();
  await client.echoes('warm', 'warm');
  const dropped = proxy.dropReplyTo('order');
  client.socket.write('order 1');
  const link = await dropped;
  client.socket.write('order 2');
  await settled();
  expect(client.received()).toBe('warm');
  link.reset();
  await client.ended;
});

it('drops a reply on a connection that is opened after the call', async () => {
  const dropped = proxy.dropReplyTo('order');
  const [other, client] = [await newClient(), await newClient()];
  client.socket.write('order 1');
  (await dropped).reset();
  await client.ended;
  expect(client.received()).toBe('');
  await other.echoes('order 2', 'order 2');
});

it('drops one RESP push message, and not its neighbours', async () => {
  const push = (text: string) => `>3\r\n$7\r\nmessage\r\n$5\r\nFILLS\r\n$${text.length}\r\n${text}\r\n`;
  const client = await newClient();
  await client.echoes('+OK\r\n', '+OK\r\n');
  const dropped = proxy.dropPush('two');
  client.socket.write(push('one') + push('two') + push('three'));
  await dropped;
  await client.receives(`+OK\r\n${push('one')}${push('three')}`);
});

/** Gives bytes that were not dropped time to arrive. If it is too short, a test can miss a bug, but cannot fail. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function newClient() {
  const accepted = proxy.accepted;
  const socket: Socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
  closing.push(() => socket.destroy());
  const pieces: string[] = [];
  const received = () => pieces.join('');
  socket.on('data', (bytes) => pieces.push(String(bytes)));
  socket.on('error', () => {});
  const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  while (proxy.accepted === accepted) await new Promise((resolve) => setImmediate(resolve));
  const receives = async (text: string) => {
    while (received() !== text) await once(socket, 'data');
  };
  const echoes = async (text: string, reply: string) => {
    socket.write(text);
    await receives(reply);
  };
  return { socket, ended, received, receives, echoes, pieces: () => pieces.length };
}
