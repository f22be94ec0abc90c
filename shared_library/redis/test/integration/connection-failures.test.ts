// The first connection fails fast with one clear error, and unusable options fail in the constructor.

import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { errorOf, RecordingLogger, silentLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { errorWith, pricePayload } from '../channels.fixture.ts';
import { closeAfterEach, firstPublishError } from './integration.fixture.ts';

const SECRET = 'hunter2%/:@ä';

let guarded: LocalRedis;
const closing = closeAfterEach();
beforeAll(async () => {
  guarded = await startLocalRedis({ args: ['--requirepass', SECRET] });
});
afterAll(() => guarded.kill());

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe('the first publish rejects', () => {
  it('with TICKBUS_CONNECT_FAILED if nothing listens on the port', async () => {
    const port = await freePort();
    const error = await firstPublishError({ host: '127.0.0.1', port }, closing);
    expect(error).toMatchObject({ code: 'TICKBUS_CONNECT_FAILED', retryable: true });
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain('docker compose up -d redis');
  });

  it('with TICKBUS_CONNECT_FAILED if the host name is unknown', async () => {
    const error = await firstPublishError({ host: 'no-such-host.invalid', port: 6379 }, closing);
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toContain('no-such-host.invalid:6379: the host name is unknown');
  });

  it.each([
    ['a wrong password', `:${encodeURIComponent('wrong-password')}@`, 'WRONGPASS'],
    ['a wrong user', `bob:${encodeURIComponent(SECRET)}@`, 'WRONGPASS'],
    ['no password on a server that requires one', '', 'NOAUTH'],
  ])('with TICKBUS_AUTH_FAILED for %s', async (_, credentials, word) => {
    const error = await firstPublishError(
      { url: `redis://${credentials}127.0.0.1:${guarded.port}` },
      closing,
    );
    expect(error).toMatchObject({ code: 'TICKBUS_AUTH_FAILED', retryable: false });
    expect(error.message).toContain(word);
    expect(error.message).toContain('Check the user and password');
  });

  it('with TICKBUS_CONNECT_FAILED if an HTTP server answers', async () => {
    const web = createHttpServer((_, response) => response.end('hello'));
    const error = await firstPublishError({ port: await listen(web) }, closing);
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toContain('Check that it is Redis');
  });

  it('with TICKBUS_CONNECT_FAILED if a server of another protocol speaks first', async () => {
    const ssh = createServer((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'));
    const error = await firstPublishError({ port: await listen(ssh), connectTimeoutMs: 300 }, closing);
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
  });

  it('with TICKBUS_CONNECT_FAILED if the server accepts the connection and never replies', async () => {
    const mute = createServer(() => {});
    const error = await firstPublishError({ port: await listen(mute), connectTimeoutMs: 300 }, closing);
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toContain('it timed out');
  });

  it('without the password, if the server echoes it in its reply', async () => {
    const old = createServer((socket) =>
      socket.on('data', (data) => socket.write(`-ERR unknown command ${JSON.stringify(String(data))}\r\n`)),
    );
    const logger = new RecordingLogger();
    const url = `redis://bob:${encodeURIComponent(SECRET)}@127.0.0.1:${await listen(old)}`;
    const error = await firstPublishError({ url, logger }, closing);
    expect(error.message).toContain('***');
    const exposed = [
      error.message,
      error.stack,
      String(error.cause),
      JSON.stringify(error.cause),
      JSON.stringify(logger.lines),
    ].join('\n');
    expect(exposed).not.toContain('hunter2');
  });
});

it('startListening rejects with TICKBUS_CONNECT_FAILED, and logs no second report', async () => {
  const logger = new RecordingLogger();
  const port = await freePort();
  const subscriber = new RedisSubscriber({ host: '127.0.0.1', port, logger });
  closing.push(() => subscriber.close());
  const error = await errorOf(subscriber.startListening());
  expect(error).toMatchObject({
    code: 'TICKBUS_CONNECT_FAILED',
    message: expect.stringContaining(`127.0.0.1:${port}`),
  });
  expect(logger.lines.filter(({ level }) => level !== 'debug')).toEqual([]);
});

it('publish can be retried on the same publisher after the server starts', async () => {
  const late = await startLocalRedis();
  closing.push(() => late.kill());
  await late.kill();
  const publisher = new RedisPublisher({ url: late.url, logger: silentLogger });
  closing.push(() => publisher.close());
  await expect(publisher.publish(CHANNELS.PRICE_DATA, pricePayload())).rejects.toMatchObject({
    code: 'TICKBUS_CONNECT_FAILED',
  });
  await late.start();
  await expect(publisher.publish(CHANNELS.PRICE_DATA, pricePayload())).resolves.toMatchObject({
    position: { seq: 1 },
  });
});

describe('the constructor throws TICKBUS_INVALID_OPTION', () => {
  it.each([
    ['url', { url: 'http://127.0.0.1' }],
    ['url', { url: `redis//bob:${SECRET}@x` }],
    ['url', { url: 'redis://127.0.0.1', host: 'x' }],
    ['port', { port: 70_000 }],
    ['port', { port: Number.NaN }],
    ['db', { db: -1 }],
    ['host', { host: `redis://bob:${SECRET}@127.0.0.1` }],
    ['connectTimeoutMs', { connectTimeoutMs: 0 }],
  ])('for %s in %o', (field, options) => {
    const construct = () => new RedisPublisher(options);
    expect(construct).toThrow(errorWith('TICKBUS_INVALID_OPTION', { field }));
    expect(construct).not.toThrow(/hunter2/);
  });
});
