// `limitExchange` limits what a venue can send through ccxt. The tests use ccxt's exchange classes on a local server.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGzip, deflateRawSync, gzipSync } from 'node:zlib';
import { afterEach, expect, it, vi } from 'vitest';
import { createCcxtFeed } from '../../feeds/ccxt-feed.ts';
import { loadCcxt } from '../../feeds/ccxt-library.ts';
import { limitExchange } from '../../feeds/ccxt-limits.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

const MIB = 1024 * 1024;
const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function exchange(name: string) {
  const Exchange = (await loadCcxt()).exchanges[name];
  if (Exchange === undefined) throw new Error(`ccxt has no ${name}.`);
  const created = new Exchange({});
  limitExchange(created);
  return created;
}

it.each([
  ['gzip, as HTX sends it', 'htx', gzipSync],
  ['deflate, as deepcoin and others send it', 'htx', deflateRawSync],
] as const)('decompresses at most 4 MiB of %s', async (_what, name, compress) => {
  const client = (await exchange(name)).client('wss://127.0.0.1:1/ws');
  if (compress === deflateRawSync) Object.assign(client, { gunzip: false, inflate: true });
  else Object.assign(client, { gunzip: true, inflate: false });
  const onError = vi.spyOn(client, 'onError').mockReturnValue(undefined);
  vi.spyOn(client, 'close').mockReturnValue(undefined);
  client.onMessage({ data: compress(Buffer.alloc(64 * MIB)) });
  expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'ERR_BUFFER_TOO_LARGE' }));
});

it.each([
  ['text', (json: string) => json],
  ['bytes', (json: string) => Buffer.from(json)],
  ['gzip', (json: string) => gzipSync(json)],
] as const)('parses no deeply nested message, sent as %s', async (form, toMessage) => {
  const client = (await exchange('htx')).client('wss://127.0.0.1:1/ws');
  Object.assign(client, { gunzip: form === 'gzip', inflate: false });
  const parse = vi.spyOn(JSON, 'parse');
  const onError = vi.spyOn(client, 'onError').mockReturnValue(undefined);
  const close = vi.spyOn(client, 'close').mockReturnValue(undefined);
  client.onMessage({ data: toMessage('['.repeat(4 * MIB)) });
  expect(parse).not.toHaveBeenCalled();
  parse.mockRestore();
  expect(String(onError.mock.lastCall?.[0])).toContain('nested more than 128 levels');
  expect(close).toHaveBeenCalledOnce();
});

it('passes a decompressed message on', async () => {
  const venue = await exchange('htx');
  const received: unknown[] = [];
  Object.assign(venue, { handleMessage: (_client: unknown, message: unknown) => received.push(message) });
  const client = venue.client('wss://127.0.0.1:1/ws');
  Object.assign(client, { gunzip: true });
  client.onMessage({ data: gzipSync('{"id":"1"}') });
  expect(received).toEqual([{ id: '1' }]);
});

it('offers no compression, and limits messages', async () => {
  const client = (await exchange('binanceusdm')).client('wss://127.0.0.1:1/ws');
  expect(client).toMatchObject({
    options: { perMessageDeflate: false, maxPayload: 4 * MIB, maxFragments: 1_024 },
  });
});

it.each([
  ['a gzip bomb', true],
  ['an endless body', false],
])('ends the session at 64 MiB of an HTTP response: %s', async (_what, isCompressed) => {
  let sent = 0;
  const server = createServer((_request, response) => {
    response.writeHead(200, isCompressed ? { 'content-encoding': 'gzip' } : {});
    const gzip = isCompressed ? createGzip({ level: 1 }) : undefined;
    gzip?.pipe(response);
    const target = gzip ?? response;
    const write = () => {
      // Without the limit, the response ends at 256 MiB.
      while (!response.destroyed && sent < 256 * MIB) {
        sent += MIB;
        if (!target.write(Buffer.alloc(MIB, ' '))) return target.once('drain', write);
      }
      return target.end();
    };
    write();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUps.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const feed = await createCcxtFeed({ exchange: 'binanceusdm', url: `http://127.0.0.1:${port}` });
  const observed = new ObservedFeed(feed, ['BTC/USDT:USDT']);
  cleanUps.push(() => observed.feed.close(0));
  expect((await observed.state('down')).reason).toContain('HTTP response of more than 64 MiB');
  if (!isCompressed) expect(sent).toBeLessThan(256 * MIB);
});
