// TLS to a real server: options, files named by environment variables, mutual TLS, and each fault of a certificate.

import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { RecordingLogger, silentLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisConnectionOptions } from '../../connection.ts';
import { CHANNELS, readConfig } from '../../constants.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { SubscriberStatus } from '../../subscribe/status.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { checkCertificates } from '../../transport/redis/certificates.ts';
import { errorWith, pricePayload } from '../channels.fixture.ts';
import { Authority, hasOpenssl, type Issued } from './certificates.fixture.ts';
import { closeAfterEach, firstPublishError, until } from './integration.fixture.ts';

const closing = closeAfterEach();

describe.skipIf(!hasOpenssl)('with certificates', () => {
  let authority: Authority;
  let stranger: Authority;
  let good: Issued;
  let expired: Issued;
  let open: TlsServer;
  let mutual: TlsServer;

  beforeAll(async () => {
    authority = new Authority();
    stranger = new Authority();
    good = authority.issue('localhost');
    expired = authority.issue('localhost', -1);
    open = await startTlsServer(good, authority, 'no');
    mutual = await startTlsServer(good, authority, 'yes');
  });
  afterAll(async () => {
    for (const { redis } of [open, mutual]) await redis.kill();
    for (const each of [authority, stranger]) each[Symbol.dispose]();
  });

  it('connects with `ca`, with `servername`, and with `cert` and `key`', async () => {
    const ca = authority.pem;
    for (const options of [
      { url: `rediss://localhost:${open.port}`, ca },
      { url: `rediss://127.0.0.1:${open.port}`, ca: Buffer.from(ca), servername: 'localhost' },
      { url: `rediss://localhost:${mutual.port}`, ca, cert: read(good.cert), key: read(good.key) },
      { url: `rediss://localhost:${mutual.port}`, ca, cert: { file: good.cert }, key: { file: good.key } },
    ])
      await expect(publishWith(options)).resolves.toMatchObject({ receivers: 0 });
  });

  it('connects with the files of the environment', () => {
    const { stdout } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', PROGRAM],
      {
        encoding: 'utf8',
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: { ...process.env, REDIS_URL: `rediss://localhost:${mutual.port}`, ...filesOf(good) },
      },
    );
    expect(stdout).toMatch(/^number \d+/);
  });

  it('names the variable of a file that is missing or of another kind', () => {
    const check = (env: Record<string, string>) => {
      const { certificates = {} } = readConfig({ REDIS_URL: 'rediss://x', ...filesOf(good), ...env }).ADDRESS;
      checkCertificates(certificates);
    };
    expect(() => check({})).not.toThrow();
    const missing = /^REDIS_TLS_CA_FILE names the file \/missing\.pem, .*ENOENT/;
    expect(() => check({ REDIS_TLS_CA_FILE: '/missing.pem' })).toThrow(missing);
    expect(() => check({ REDIS_TLS_KEY_FILE: good.cert })).toThrow(
      /^REDIS_TLS_KEY_FILE contains no PEM private key/,
    );
    expect(() => check({ REDIS_TLS_KEY_FILE: '' })).toThrow(
      /^REDIS_TLS_CERT_FILE is given without its private key/,
    );
  });

  it.each<[string, () => object, RegExp]>([
    ['an unknown authority', () => ({}), /unknown authority\. Set `ca`, or REDIS_TLS_CA_FILE/],
    ['another authority', () => ({ ca: stranger.pem }), /unknown authority/],
    [
      'another host',
      () => ({ url: `rediss://127.0.0.1:${open.port}`, ca: authority.pem }),
      /for another host \(.*127\.0\.0\.1.*\)\..*`servername`/,
    ],
    [
      'no client certificate',
      () => ({ url: `rediss://localhost:${mutual.port}`, ca: authority.pem }),
      /requires a client certificate\. Set `cert` and `key`/,
    ],
    ['an expired client certificate', () => mutualWith(expired), /client certificate has expired/],
    [
      'a client certificate of another authority',
      () => mutualWith(stranger.issue('bot')),
      /does not know the authority of the client certificate/,
    ],
  ])('reports %s as TICKBUS_TLS_FAILED to the caller alone, with advice', async (_, options, text) => {
    const logger = new RecordingLogger();
    const given = { url: `rediss://localhost:${open.port}`, logger, ...options() };
    const error = await firstPublishError(given, closing);
    expect(error).toMatchObject({
      code: 'TICKBUS_TLS_FAILED',
      retryable: false,
      message: expect.stringMatching(text),
    });
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('reports an expired certificate of the server', async () => {
    const server = await startTlsServer(expired, authority, 'no');
    closing.push(() => server.redis.kill());
    const error = await firstPublishError(
      { url: `rediss://localhost:${server.port}`, ca: authority.pem },
      closing,
    );
    expect(error).toMatchObject({ code: 'TICKBUS_TLS_FAILED' });
    expect(error.message).toMatch(/certificate of the server has expired\. Renew it/);
  });

  it('reports a port without TLS, and a port with TLS that redis:// connects to', async () => {
    const plain = { url: `rediss://localhost:${open.redis.port}`, connectTimeoutMs: 500 };
    expect((await firstPublishError(plain, closing)).message).toMatch(/it timed out\. .*not, use redis:/);
    const error = await firstPublishError({ url: `redis://localhost:${open.port}` }, closing);
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toMatch(/use rediss:/);
  });

  it('a link that was up fails for good, with the reason, once a certificate has become unusable', async () => {
    const current = authority.issue('localhost');
    const server = await startTlsServer(current, authority, 'no');
    closing.push(() => server.redis.kill());
    const url = `rediss://localhost:${server.port}`;
    const subscriber = new RedisSubscriber({ url, ca: authority.pem, logger: silentLogger });
    closing.push(() => subscriber.close());
    const statuses: SubscriberStatus[] = [];
    subscriber.on('status', (status) => statuses.push(status));
    subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
    await subscriber.startListening();
    await server.redis.kill();
    copyFileSync(expired.cert, current.cert);
    copyFileSync(expired.key, current.key);
    await server.redis.start();
    const failure = () =>
      statuses.find(({ type }) => type === 'failed') as { error: TickbusError } | undefined;
    await until(() => failure() !== undefined);
    expect(failure()?.error).toMatchObject({ code: 'TICKBUS_TLS_FAILED' });
    expect(failure()?.error.message).toMatch(/was lost: the certificate of the server has expired/);
  });

  it.each<[string, string, () => RedisConnectionOptions, RegExp]>([
    ['ca', 'without TLS', () => ({ url: 'redis://x', ca: authority.pem }), /not be encrypted/],
    ['servername', 'without TLS', () => ({ host: 'x', servername: 'y' }), /not be encrypted/],
    ['ca', 'as a path', () => ({ ca: authority.file }), /no PEM certificate.*not its path/],
    ['ca', 'with a damaged text', () => ({ ca: DAMAGED }), /cannot be used: OpenSSL reports/],
    ['cert', 'without a key', () => ({ cert: read(good.cert) }), /without its private key/],
    ['key', 'without a certificate', () => ({ key: read(good.key) }), /without its certificate/],
    [
      'key',
      'of another certificate',
      () => ({ cert: read(good.cert), key: read(expired.key) }),
      /another certificate/,
    ],
    ['key', 'that is encrypted', () => ({ cert: read(good.cert), key: ENCRYPTED }), /encrypted private key/],
    ['servername', 'as an address', () => ({ servername: '127.0.0.1' }), /is an IP address/],
  ])('the constructor throws TICKBUS_INVALID_OPTION for %s %s', (field, _, options, text) => {
    const construct = () => new RedisPublisher({ url: 'rediss://localhost', ...options() });
    if (options().host !== undefined) expect(() => new RedisPublisher(options())).toThrow(text);
    else
      expect(construct).toThrow(
        errorWith('TICKBUS_INVALID_OPTION', { field, message: expect.stringMatching(text) }),
      );
  });

  function filesOf({ cert, key }: Issued) {
    return { REDIS_TLS_CA_FILE: authority.file, REDIS_TLS_CERT_FILE: cert, REDIS_TLS_KEY_FILE: key };
  }

  function mutualWith({ cert, key }: Issued) {
    const ca = authority.pem;
    return { url: `rediss://localhost:${mutual.port}`, ca, cert: read(cert), key: read(key) };
  }
});

const PROGRAM = `
  import { RedisPublisher } from 'tickbus/publisher';
  import { CHANNELS, CONFIG } from 'tickbus/constants';
  const publisher = new RedisPublisher({ host: CONFIG.HOST, port: CONFIG.PORT });
  const { position } = await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'A', price: 1, timestamp: 1 });
  await publisher.close();
  console.log('number', position.seq);`;
const DAMAGED = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const ENCRYPTED = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n';

interface TlsServer {
  readonly redis: LocalRedis;
  /** The TLS port. `redis.port` has no TLS. */
  readonly port: number;
}

async function startTlsServer(
  { cert, key }: Issued,
  { file }: Authority,
  clients: 'yes' | 'no',
): Promise<TlsServer> {
  const port = await freePort();
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', file];
  const args = ['--tls-port', String(port), '--tls-auth-clients', clients, ...files];
  return { redis: await startLocalRedis({ args }), port };
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}

function publishWith(options: RedisConnectionOptions) {
  const publisher = new RedisPublisher({ logger: silentLogger, ...options });
  closing.push(() => publisher.close());
  return publisher.publish(CHANNELS.PRICE_DATA, pricePayload());
}
