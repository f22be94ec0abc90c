// Gateway status from a hostile peer: bounded memory and queries, and nothing that a subscription names is lost.

import { eventLoopTurns, RecordingLogger } from '@tickbus/test-kit';
import { afterEach, expect, it } from 'vitest';
import type { ChannelSpec } from '../../channel/channel.ts';
import { CHANNELS } from '../../constants.ts';
import { GatewayStatus } from '../../freshness/gateway-status.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { MemoryConnection } from '../../testing.ts';
import { MemoryServer } from '../../transport/memory/memory-server.ts';
import { encodeEnvelope } from '../../wire/envelope.ts';

const { FEED_STATUS, INSTRUMENT_STATUS, PRICE_DATA } = CHANNELS;

const links: MemoryConnection[] = [];
afterEach(() => Promise.all(links.splice(0).map((link) => link.close())));

async function setUp() {
  const clock = new ManualClock();
  const connection = new MemoryConnection({ server: new MemoryServer(clock) });
  links.push(connection);
  const logger = new RecordingLogger();
  const claims: number[] = [];
  const status = new GatewayStatus({
    transport: connection.subscribing,
    clock,
    logger,
    feedStatus: FEED_STATUS,
    instrumentStatus: INSTRUMENT_STATUS,
    defaultChannel: PRICE_DATA.name,
    onAnswer: () => {},
    onInstrument: () => {},
    isNamed: (channel, key) => channel === PRICE_DATA.name && (key === undefined || key === 'REAL'),
    onLeaseClaimed: (_, lease) => claims.push(lease),
    leaseOf: () => undefined,
  });
  await connection.subscribing.connect();
  await connection.publishing.connect();
  status.start();
  await eventLoopTurns(3);
  const publish = async (channel: ChannelSpec, message_type: string, payloads: readonly object[]) => {
    for (let from = 0; from < payloads.length; from += 256) {
      const batch = payloads.slice(from, from + 256).map((data) => ({
        json: encodeEnvelope({ message_type, data: { ...data }, timestamp: 1, sender: 'peer' }),
        key: 'key',
      }));
      await connection.publishing.publish(channel, batch);
    }
    await eventLoopTurns(2);
  };
  return { clock, logger, claims, status, publish };
}

it('60,000 fake instruments evict the stalest fakes, not the instrument that a subscription names', async () => {
  const { logger, status, publish } = await setUp();
  const instruments = (names: readonly string[]) =>
    publish(
      INSTRUMENT_STATUS,
      'instrument_status',
      names.map((symbol) => ({ symbol, state: 'refused', feed: 'f' })),
    );
  await instruments(['REAL', 'OTHER']);
  await instruments(Array.from({ length: 60_000 }, (_, n) => `FAKE${n}`));
  expect(status.instrument('PRICE_DATA', 'REAL')?.state).toBe('refused');
  expect(status.instrument('PRICE_DATA', 'OTHER')).toBeUndefined();
  expect(status.instrument('PRICE_DATA', 'FAKE59999')?.state).toBe('refused');
  const left = Array.from({ length: 60_000 }, (_, n) => status.instrument('PRICE_DATA', `FAKE${n}`));
  expect(left.filter((report) => report !== undefined).length).toBeLessThanOrEqual(50_000);
  const [line, ...more] = logger.lines.filter(({ message }) => message.includes('evicted'));
  expect(line).toMatchObject({ level: 'warn', message: expect.stringContaining('too many instruments') });
  expect(more.length).toBeLessThan(5);
});

it('fake feeds evict fakes, not the feed of a subscribed channel', async () => {
  const { status, publish } = await setUp();
  const feeds = (channels: readonly string[]) =>
    publish(
      FEED_STATUS,
      'feed_status',
      channels.map((channel) => ({ feed: 'f', state: 'live', channel })),
    );
  await feeds(['PRICE_DATA']);
  await feeds(Array.from({ length: 5_000 }, (_, n) => `FAKE${n}`));
  expect(status.feed('PRICE_DATA')?.state).toBe('live');
  const left = Array.from({ length: 5_000 }, (_, n) => status.feed(`FAKE${n}`));
  expect(left.filter((report) => report !== undefined).length).toBeLessThanOrEqual(256);
});

it('1,000 claims of a lease at once cause eleven queries', async () => {
  const { clock, claims, publish } = await setUp();
  const claimed = Array.from({ length: 1_000 }, (_, n) => ({ feed: 'f', state: 'live', lease: n + 1 }));
  await publish(FEED_STATUS, 'feed_status', claimed);
  expect(claims).toHaveLength(10);
  await clock.advance(1_000);
  expect(claims).toHaveLength(11);
  expect(claims.at(-1)).toBe(1_000);
});
