// A mapping's `decode`: compressed and other frames, its errors, and frames that decompress to gigabytes.

import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { BROKER_LIMITS } from '../../feeds/broker-socket.ts';
import { MappedFrameDecoder } from '../../feeds/mapped-frame-decoder.ts';
import type { FrameItem, Mapping } from '../../mapping.ts';
import { trade } from '../gateway.fixture.ts';
import { startVenueServer } from './venue-server.fixture.ts';
import { observe } from './websocket-feed.fixture.ts';

const MIB = 1024 * 1024;

/** A feed with this `decode`, whose decoded frames are items. */
async function connect(decode: Mapping['decode'], read: Mapping['read'] = (frame) => frame as FrameItem[]) {
  const venue = await startVenueServer();
  const mapping = { read, ...(decode && { decode }) };
  const observed = observe({ url: venue.url, mapping, pingMs: 0 }, ['AAPL']);
  const socket = await venue.sockets.until(() => true);
  await observed.state('live');
  return { observed, socket };
}

it.each([
  ['gunzip', gzipSync],
  ['inflate', deflateSync],
  ['inflateRaw', deflateRawSync],
] as const)('decompresses with %s', async (name, compress) => {
  const { observed, socket } = await connect((bytes, tools) => tools[name](bytes));
  socket.send(compress(JSON.stringify(trade(1))));
  await observed.events.until(() => true);
  expect(observed.events.all).toEqual([trade(1)]);
  expect(observed.raw.all).toEqual([{ dir: 'in', json: JSON.stringify(trade(1)) }]);
});

it('passes isBinary to decode, which differs for text and binary frames', async () => {
  const { observed, socket } = await connect((bytes, { isBinary, gunzip }) =>
    isBinary ? gunzip(bytes) : bytes,
  );
  socket.send(gzipSync(JSON.stringify(trade(1))));
  socket.send(JSON.stringify(trade(2)));
  await observed.events.until(() => observed.events.all.length === 2);
  expect(observed.events.all).toEqual([trade(1), trade(2)]);
});

it('passes other values to `read`, and ignores a frame that decodes to undefined', async () => {
  // One byte is a keepalive; otherwise the frame is a price as a 64-bit float.
  const { observed, socket } = await connect(
    (bytes) => (bytes.length === 1 ? undefined : { price: Buffer.from(bytes).readDoubleBE(), id: 1n }),
    (frame) => trade((frame as { price: number }).price),
  );
  socket.send(Buffer.of(1));
  const price = Buffer.alloc(8);
  price.writeDoubleBE(37.5);
  socket.send(price);
  await observed.events.until(() => true);
  expect(observed.events.all).toEqual([trade(37.5)]);
  expect(observed.heartbeats).toBe(1);
  expect(observed.raw.all).toEqual([{ dir: 'in', json: '"a frame that cannot be written as JSON"' }]);
});

it.each([
  [
    'throws',
    () => {
      throw new Error('no magic number');
    },
    'The mapping cannot decode a frame: no magic number',
  ],
  [
    'gets corrupt gzip',
    (bytes: Uint8Array, { gunzip }: { gunzip(bytes: Uint8Array): Uint8Array }) => gunzip(bytes),
    'The mapping cannot decode a frame: the content is corrupt, or compressed in another format',
  ],
] as const)(
  'counts a frame as invalid if decode %s, and reads the next one',
  async (_what, decode, reason) => {
    let frames = 0;
    const { observed, socket } = await connect((bytes, tools) =>
      frames++ === 0 ? decode(bytes, tools) : bytes,
    );
    socket.send(Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]));
    socket.send(JSON.stringify(trade(1)));
    await observed.events.until(() => true);
    expect(observed.invalid.all).toEqual([reason]);
    expect(observed.attempts.all).toHaveLength(1);
  },
);

it('ends a connection whose frame decompresses to 500 MiB, in little memory', async () => {
  const bomb = gzipSync(Buffer.alloc(500 * MIB), { level: 9 });
  expect(bomb.length).toBeLessThan(BROKER_LIMITS.maxMessageBytes);
  const { observed, socket } = await connect((bytes, { gunzip }) => gunzip(bytes));
  const before = process.memoryUsage().rss;
  socket.send(bomb);
  expect(await observed.state('down')).toEqual({
    type: 'down',
    code: undefined,
    reason: 'A frame decodes to more than 1 MiB, like a decompression bomb.',
    retryable: true,
  });
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * MIB);
  await observed.state('live', 3);
});

it('ends the connection also if the mapping hides the error, or returns a text that is too large', async () => {
  const hiding = await connect((bytes, { gunzip }) => {
    try {
      return gunzip(bytes);
    } catch {
      return undefined;
    }
  });
  hiding.socket.send(gzipSync(Buffer.alloc(2 * MIB)));
  expect((await hiding.observed.state('down')).reason).toContain('more than 1 MiB');
  const growing = await connect(() => 'x'.repeat(MIB + 1));
  growing.socket.send('x');
  expect((await growing.observed.state('down')).reason).toContain('more than 1 MiB');
});

it('ends a connection with many frames that each decompress to just less than the limit', () => {
  const decoder = new MappedFrameDecoder((bytes, { gunzip }) => gunzip(bytes));
  const large = gzipSync(Buffer.alloc(MIB));
  expect(large.length).toBeLessThan(2_000);
  const decodeAll = () => {
    for (let frame = 0; frame < 64; frame++) decoder.decode(large, true);
  };
  expect(decodeAll).toThrow('Frames that arrived at once decompress to more than 4 MiB.');
});

it('ends a connection that floods the gateway with frames that cannot be decoded', async () => {
  const { observed, socket } = await connect((bytes, { gunzip }) => gunzip(bytes));
  for (let frame = 0; frame < 5_000; frame++) socket.send(Buffer.from([0x1f, 0x8b, 8]));
  expect((await observed.state('down')).reason).toMatch(/^The server sent more than 100 frames at once/);
});

it('does not pass deeply nested JSON on', async () => {
  const { observed, socket } = await connect((bytes) => bytes);
  socket.send('['.repeat(100_000));
  expect(await observed.invalid.until(() => true)).toMatch(/^The frame is not JSON: \[\[/);
});
