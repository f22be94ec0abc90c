// Frames that a hostile peer sends: bounded work, one report a frame, a bounded log, and no valid message lost.

import { EventRecorder, RecordingLogger } from '@tickbus/test-kit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import type { Gap } from '../../subscribe/status.ts';
import { type InvalidMessage, RedisSubscriber } from '../../subscriber.ts';
import { describeOnServers, validPrice } from './bad-input.fixture.ts';

const PRICE_DATA = CHANNELS.PRICE_DATA;
const MIB = 1024 * 1024;
const utf8 = new TextEncoder();

const priceOf = (symbol: string, more: object = {}) => ({
  ...validPrice,
  data: { ...validPrice.data, symbol },
  ...more,
});
const batchOf = (documents: readonly string[]) => utf8.encode(`[${documents.join(',')}]`);
const json = (document: unknown) => JSON.stringify(document);

describeOnServers((server) => {
  let logger: RecordingLogger;
  let invalid: EventRecorder<InvalidMessage>;
  let received: EventRecorder<string>;
  let subscriber: RedisSubscriber;
  let sent = 0;

  beforeEach(async () => {
    logger = new RecordingLogger();
    invalid = new EventRecorder();
    received = new EventRecorder();
    subscriber = new RedisSubscriber({ ...server().options, logger });
    subscriber.on('invalid_message', invalid.add);
    subscriber.subscribe(PRICE_DATA, ({ data }) => received.add(data.symbol));
    await subscriber.startListening();
  });
  afterEach(() => subscriber.close());

  /** Sends the frames, then a valid price, and waits for it. */
  async function send(...frames: readonly Uint8Array[]): Promise<void> {
    const last = `LAST${++sent}`;
    for (const frame of frames) await server().send(PRICE_DATA, frame);
    await server().send(PRICE_DATA, utf8.encode(json(priceOf(last))));
    await received.first((symbol) => symbol === last);
  }

  const logSize = () => json(logger.lines).length;

  it('subscriber reports 349,000 empty documents in 1 MiB as one invalid frame, in one log line', async () => {
    const frame = batchOf(Array(Math.floor(MIB / 3)).fill('{}'));
    expect(frame.length).toBeLessThanOrEqual(MIB);
    await send(frame);
    expect(invalid.items).toMatchObject([{ channel: 'PRICE_DATA', count: 1 }]);
    expect(invalid.items[0]?.error.message).toContain('the limit is');
    expect(subscriber.status(PRICE_DATA)).toMatchObject({ invalid: 1, received: 2 });
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(logSize()).toBeLessThan(10_000);
  });

  it('subscriber reports 400 invalid messages of one frame at once, and counts each', async () => {
    const documents = Array.from({ length: 400 }, (_, n) =>
      json(n % 2 === 0 ? priceOf(`S${n}`, { sender: 7 }) : priceOf('', {})),
    );
    await send(batchOf([...documents, json(priceOf('GOOD'))]));
    expect(received.items).toContain('GOOD');
    expect(invalid.items).toMatchObject([{ count: 400, error: { field: 'sender' } }]);
    expect(invalid.items[0]?.preview).toContain('"symbol":"S0"');
    expect(subscriber.status(PRICE_DATA)?.invalid).toBe(400);
  });

  it.each([
    ['deep', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['deep within the reach of the check', '['.repeat(40) + ']'.repeat(40)],
    ['NaN', 'NaN'],
    ['too large', `"${'x'.repeat(300_000)}"`],
  ])('a document that is %s takes none of its siblings with it', async (_, value) => {
    const bad = json({ ...validPrice, data: { ...validPrice.data, x: '@' } }).replace('"@"', value);
    const siblings = ['BEFORE', 'AFTER'].map((symbol) => json(priceOf(symbol)));
    await send(batchOf([siblings[0] ?? '', bad, siblings[1] ?? '']));
    expect(received.items.slice(0, 2)).toEqual(['BEFORE', 'AFTER']);
    expect(invalid.items).toMatchObject([{ count: 1 }]);
  });

  it('the log of 2,000 invalid frames is bounded by lines and size, and events and counters are exact', async () => {
    const frame = utf8.encode(`{"sender":"${'\u202e'.repeat(1_000)}"}`);
    const startedAt = performance.now();
    await send(...Array(2_000).fill(frame));
    expect(invalid.items).toHaveLength(2_000);
    expect(subscriber.status(PRICE_DATA)?.invalid).toBe(2_000);
    await subscriber.close();
    const lines = logger.lines.filter(({ message }) => message.includes('Invalid message received'));
    const windows = Math.ceil((performance.now() - startedAt) / 10_000) + 1;
    expect(lines.length).toBeLessThanOrEqual(windows * 21);
    const suppressedIn = ({ text }: { text: string }) => Number(JSON.parse(text).suppressed ?? 0);
    const suppressed = lines.reduce((sum, line) => sum + suppressedIn(line), 0);
    const written = lines.filter((line) => suppressedIn(line) === 0).length;
    expect(written + suppressed).toBe(2_000);
    expect(logSize()).toBeLessThan(windows * 100_000);
  });

  it('a blocked handler holds at most 32 MiB of large messages, and the rest is reported as a gap', async () => {
    const gaps: Gap[] = [];
    subscriber.on('gap', (gap) => gaps.push(gap));
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handled: string[] = [];
    subscriber.subscribe(CHANNELS.COMMAND_RESULTS, async ({ sender }) => {
      await released;
      handled.push(sender);
    });
    const large = (n: number) =>
      json({
        message_type: 'command_result',
        data: {
          bot: 'b',
          command_id: `c${n}`,
          action: 'pause',
          by: 'op',
          outcome: 'done',
          pad: 'x'.repeat(250_000),
        },
        timestamp: 1,
        sender: `s${n}`,
      });
    // One message at a time: Redis disconnects a subscriber for which it holds back more than 32 MB.
    const arrived = new EventRecorder<string>();
    subscriber.tap(CHANNELS.COMMAND_RESULTS, ({ message }) => arrived.add(message.sender));
    // A message from before that is not delivered.
    await expect.poll(() => subscriber.status(CHANNELS.COMMAND_RESULTS)?.mode).toBe('live');
    for (let n = 0; n < 200; n++) {
      await server().send(CHANNELS.COMMAND_RESULTS, utf8.encode(large(n)));
      await arrived.reaches(n + 1);
    }
    const depth = subscriber.status(CHANNELS.COMMAND_RESULTS)?.queueDepth ?? 0;
    expect(depth).toBeGreaterThan(100);
    expect(depth).toBeLessThanOrEqual((32 * MIB) / 250_000);
    release();
    await expect.poll(() => handled.at(-1)).toBe('s199');
    const lost = gaps.reduce((sum, gap) => sum + (gap.lost ?? 0), 0);
    expect(gaps.map(({ cause }) => cause)).toContain('overflow');
    expect(handled.length + lost).toBe(200);
  });
});
