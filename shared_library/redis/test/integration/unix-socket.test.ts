// A server on a Unix socket and on IPv6: every form of the address connects, and faults are reported as such.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CHANNELS, readConfig } from '../../constants.ts';
import { RedisPublisher, type RedisPublisherOptions } from '../../publisher.ts';
import { pricePayload } from '../channels.fixture.ts';
import { closeAfterEach, createUser, firstPublishError } from './integration.fixture.ts';

const closing = closeAfterEach();
const folder = mkdtempSync(join(tmpdir(), 'tickbus-socket-'));
const path = join(folder, 'redis.sock');
let redis: LocalRedis;

beforeAll(async () => {
  redis = await startLocalRedis({ args: ['--unixsocket', path, '--bind', '127.0.0.1', '::1'] });
  await createUser(redis, 'bot', 'allchannels', '~*', '+@all');
});
afterAll(async () => {
  await redis.kill();
  rmSync(folder, { recursive: true });
});

it.each<[string, () => RedisPublisherOptions]>([
  ['url unix://', () => ({ url: `unix://${path}` })],
  [
    'url unix:// with a user and a database',
    () => ({ url: `unix://bot:secret@${path}?db=2`, namespace: 'two' }),
  ],
  ['url redis+unix://', () => ({ url: `redis+unix://${path}` })],
  ['host as a path', () => ({ host: path })],
  ['REDIS_HOST as a path', () => configured({ REDIS_HOST: path })],
  ['REDIS_URL unix://', () => configured({ REDIS_URL: `unix://${path}` })],
  ['host ::1', () => ({ host: '::1', port: redis.port })],
  ['host [::1]', () => ({ host: '[::1]', port: redis.port })],
  ['host [::1]:port', () => ({ host: `[::1]:${redis.port}` })],
  ['url redis://[::1]', () => ({ url: `redis://bot:secret@[::1]:${redis.port}` })],
  ['REDIS_HOST [::1]', () => configured({ REDIS_HOST: '[::1]', REDIS_PORT: String(redis.port) })],
])('publishes with %s', async (_, options) => {
  const publisher = new RedisPublisher({ logger: silentLogger, ...options() } as RedisPublisherOptions);
  closing.push(() => publisher.close());
  await expect(publisher.publish(CHANNELS.PRICE_DATA, pricePayload())).resolves.toMatchObject({
    position: { seq: expect.any(Number) },
  });
});

it('a missing socket is reported as such', async () => {
  const error = await firstPublishError({ url: `unix://${path}.missing` }, closing);
  expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
  expect(error.message).toContain(`unix://${path}.missing: there is no Unix socket at this path (ENOENT)`);
});

it.skipIf(process.getuid?.() === 0)('a socket without access is reported as such', async () => {
  chmodSync(path, 0o000);
  closing.push(() => chmodSync(path, 0o755));
  const error = await firstPublishError({ host: path }, closing);
  expect(error.message).toContain('this user may not open it (EACCES)');
});

/** The options of a program that passes on only the host and the port of CONFIG. */
function configured(env: Record<string, string>): RedisPublisherOptions {
  const { HOST: host, PORT: port } = readConfig(env);
  return { host, port };
}
