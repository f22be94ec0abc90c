// SIGTERM while the broker stalls, floods or never closes. A gateway that shuts down in time exits with 0; after its
// deadline of 10 s it exits with 1.

import type { Socket } from 'node:net';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { flood, frame, HostileServer, OPCODES, repeated } from '../feeds/hostile-server.fixture.ts';
import { GatewayProcess, gatewaySettings } from './child-processes.fixture.ts';

// The flood takes long on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const MAPPING = await bundledProgram(new URL('./heartbeat-mapping.fixture.ts', import.meta.url));

let redis: LocalRedis;
const cleanUps: (() => PromiseLike<unknown>)[] = [];

beforeAll(async () => {
  redis = await startLocalRedis();
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

afterAll(() => redis.kill());

function silent(): void {}

function floodWithMessages(socket: Socket): void {
  flood(socket, repeated(frame(OPCODES.text, '[]'), 65_536));
}

it.each([
  ['does not answer the handshake', { answer: silent, act: silent }],
  ['sends nothing and never closes', { act: silent }],
  ['reads nothing', { act: (socket: Socket) => socket.pause() }],
  ['floods with messages', { act: floodWithMessages }],
] as const)('stops in time while the broker %s', async (_what, { act, ...options }) => {
  const server = await HostileServer.start('answer' in options ? options.answer : undefined);
  cleanUps.push(() => server[Symbol.asyncDispose]());
  const gateway = new GatewayProcess(
    gatewaySettings(redis.url, server.url, {
      FEED: 'websocket',
      WEBSOCKET_URL: server.url,
      WEBSOCKET_MAPPING: MAPPING,
      // The flood must not starve its renewal. A busy machine may.
      LEASE_TTL_MS: '10000',
    }),
  );
  cleanUps.push(() => gateway.kill());
  const { socket, closed } = await server.victims.until(() => true);
  if (!('answer' in options)) await gateway.lines.until(({ msg }) => msg === 'The feed is live.');
  act(socket);
  // 8 MiB are two million frames of 4 bytes. Reading these takes seconds; meanwhile the gateway must renew its lease.
  while (act === floodWithMessages && socket.bytesWritten < 8 * 1024 * 1024) {
    expect(socket.destroyed).toBe(false);
    await Promise.race([closed, new Promise((resolve) => socket.once('drain', resolve))]);
  }
  gateway.signal('SIGTERM');
  expect(await gateway.exit).toEqual([0, null]);
  const messages = gateway.lines.all.map(({ msg }) => msg);
  expect(messages).toContain('The gateway has stopped.');
  expect(messages).not.toContain('Lease lost; disconnecting from the broker.');
});
