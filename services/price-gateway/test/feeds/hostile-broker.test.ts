// Brokers that attack the connection itself: frames that decode to gigabytes, floods, endless fragments, and endless
// handshakes. Each feed survives, reports why it is down, and frees its socket.

import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { createAlpacaFeed } from '../../feeds/alpaca-feed.ts';
import { BROKER_LIMITS, closeBrokerSocket, openBrokerSocket } from '../../feeds/broker-socket.ts';
import type { Feed } from '../../feeds/feed.ts';
import { createWebSocketFeed } from '../../feeds/websocket-feed.ts';
import { CREDENTIALS } from '../gateway.fixture.ts';
import { flood, frame, HostileServer, OPCODES, repeated } from './hostile-server.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

const MIB = 1024 * 1024;
const { text, binary, continuation, ping } = OPCODES;

const cleanUps: (() => PromiseLike<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const FEEDS: Record<string, (url: string, timeoutMs?: number) => Feed> = {
  websocket: (url, handshakeTimeoutMs = 15_000) =>
    createWebSocketFeed({ url, handshakeTimeoutMs, mapping: { read: () => undefined } }),
  alpaca: (url, answerTimeoutMs = 15_000) => createAlpacaFeed({ url, answerTimeoutMs, ...CREDENTIALS }),
};

async function attack(
  create: (url: string, timeoutMs?: number) => Feed,
  options: Parameters<typeof HostileServer.start>[0] = undefined,
  timeoutMs?: number,
) {
  const server = await HostileServer.start(options);
  cleanUps.push(() => server[Symbol.asyncDispose]());
  // Permits one attempt, because a second connection would hide how the first one ended.
  let attempts = 0;
  const observed = new ObservedFeed(create(server.url, timeoutMs), ['AAPL'], (_, signal) =>
    attempts++ === 0 ? Promise.resolve() : once(signal, 'abort').then(() => {}),
  );
  cleanUps.push(() => observed.feed.close(0));
  return { observed, victim: await server.victims.until(() => true) };
}

describe.each(Object.entries(FEEDS))('the %s feed', (_name, create) => {
  it('offers no compression, so that no small frame inflates', async () => {
    const { victim } = await attack(create);
    expect(victim.request).not.toMatch(/sec-websocket-extensions/i);
  });

  it('cuts a message of more than 1 MiB before it is complete', async () => {
    const { observed, victim } = await attack(create);
    victim.socket.write(frame(binary, Buffer.alloc(4 * MIB)).subarray(0, 2 * MIB));
    await victim.closed;
    const down = await observed.state('down');
    expect(down).toMatchObject({ retryable: true });
    expect(down.reason).toContain('Max payload size exceeded');
  });

  it('cuts a message of endless fragments', async () => {
    const { observed, victim } = await attack(create);
    victim.socket.write(frame(text, '[', false));
    flood(victim.socket, repeated(frame(continuation, '', false), 4_096));
    await victim.closed;
    expect((await observed.state('down')).reason).toContain('Too many message fragments');
    expect(victim.socket.bytesWritten).toBeLessThan(8 * MIB);
  });

  it('gives up a handshake that sends one byte at a time', async () => {
    const head = 'HTTP/1.1 101 Switching Protocols\r\nX-Slow: ';
    const { observed, victim } = await attack(
      create,
      (socket) => {
        socket.write(head);
        const timer = setInterval(() => socket.write('x'), 20);
        socket.on('close', () => clearInterval(timer));
      },
      400,
    );
    await victim.closed;
    expect((await observed.state('down')).reason).toMatch(/timed out after 400 ms|within 400 ms/);
  });

  it('gives up a handshake with headers of more than 16 KiB', async () => {
    const { observed, victim } = await attack(create, (socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\n');
      flood(socket, Buffer.from(`X-Large: ${'x'.repeat(1_000)}\r\n`));
    });
    await victim.closed;
    expect((await observed.state('down')).reason).toContain('Header overflow');
    expect(victim.socket.bytesWritten).toBeLessThan(8 * MIB);
  });

  it('follows no redirect', async () => {
    const other = await HostileServer.start();
    cleanUps.push(() => other[Symbol.asyncDispose]());
    const { observed, victim } = await attack(create, (socket) =>
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${other.url}\r\nContent-Length: 0\r\n\r\n`),
    );
    await victim.closed;
    expect((await observed.state('down')).reason).toContain('302');
    expect(other.victims.all).toEqual([]);
  });

  it('closes within its time while the broker floods and never closes', async () => {
    const { observed, victim } = await attack(create);
    flood(victim.socket, repeated(frame(text, '[]'), 64 * 1024));
    await new Promise((resolve) => setImmediate(resolve));
    await observed.feed.close(100);
    await victim.closed;
    expect(observed.states.all.at(-1)).toEqual({ type: 'stopped' });
  });

  it('cuts the connection in the same turn when the lease is lost', async () => {
    const { observed, victim } = await attack(create);
    flood(victim.socket, repeated(frame(text, '[]'), 64 * 1024));
    const closed = observed.feed.close(0);
    await closed;
    await victim.closed;
    expect(observed.states.all.at(-1)).toEqual({ type: 'stopped' });
  });
});

it('reads a flood in turns of the event loop, so that the lease is renewed meanwhile', async () => {
  await using server = await HostileServer.start();
  const socket = openBrokerSocket(server.url);
  let messages = 0;
  socket.on('message', () => messages++);
  await once(socket, 'open');
  socket.pause();
  const { socket: peer } = await server.victims.until(() => true);
  const message = frame(text, '[]');
  peer.write(repeated(message, 4 * MIB));
  // Waits until the kernel accepts no more data: all buffers are full then.
  for (let rest = -1, still = 0; still < 50; still = rest === peer.writableLength ? still + 1 : 0) {
    rest = peer.writableLength;
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.resume();
  let largest = 0;
  while (messages < MIB) {
    const before = messages;
    await new Promise((resolve) => setImmediate(resolve));
    largest = Math.max(largest, messages - before);
  }
  // A turn reads at most two chunks: one that stays just below the limit, and one more.
  expect(largest).toBeLessThanOrEqual((2 * BROKER_LIMITS.bytesPerTurn) / message.length);
  await closeBrokerSocket(socket, 0);
});

it('answers a flood of pings from a broker that reads nothing with a bounded number of pongs', async () => {
  const { observed, victim } = await attack(FEEDS.websocket as (url: string) => Feed);
  victim.socket.pause();
  const before = process.memoryUsage().rss;
  flood(victim.socket, repeated(frame(ping, 'x'.repeat(125)), 64 * 1024));
  await victim.closed;
  expect((await observed.state('down')).retryable).toBe(true);
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * MIB);
});

it('counts a deeply nested message as invalid without parsing it', async () => {
  const { observed, victim } = await attack(FEEDS.websocket as (url: string) => Feed);
  victim.socket.write(frame(text, '['.repeat(MIB / 2) + ']'.repeat(MIB / 2)));
  expect(await observed.invalid.until(() => true)).toContain('The frame is not JSON');
});

it('ends the session at a flood of frames that are not JSON', async () => {
  const { observed, victim } = await attack(FEEDS.websocket as (url: string) => Feed);
  flood(victim.socket, repeated(frame(text, ''), 64 * 1024));
  await victim.closed;
  const down = await observed.state('down');
  expect(down.reason).toBe('The server sent more than 1000 frames at once that are not JSON.');
  expect(down.retryable).toBe(true);
  expect(observed.invalid.all.length).toBe(1_000);
});

// A header of 5 bytes can announce 33 million items. For 4 headers the decoder allocates 1 GiB; 30 end the process.
const BOMBS: readonly (readonly [string, Buffer, string])[] = [
  [
    'announces arrays of gigabytes',
    repeated(Buffer.from([0xdd, 1, 255, 255, 255]), 20),
    'announces more items',
  ],
  ['nests short arrays', Buffer.alloc(MIB - 1, 0x91), 'nests more than 32 levels'],
  ['nests maps', Buffer.alloc(MIB - 1, 0x81), 'nests more than 32 levels'],
];

it.each(BOMBS)('decodes no msgpack frame that %s', async (_what, bomb, reason) => {
  const { observed, victim } = await attack(FEEDS.alpaca as (url: string) => Feed);
  victim.socket.write(frame(binary, bomb));
  await victim.closed;
  const down = await observed.state('down');
  expect(down.reason).toContain(reason);
  expect(down.retryable).toBe(true);
  expect(observed.invalid.all).toEqual([]);
});
