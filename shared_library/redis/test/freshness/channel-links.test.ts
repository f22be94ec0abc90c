// Links of single channels, as on a cluster: a link that is down concerns its channel, and what depends on it, alone.

import { eventLoopTurns, silentLogger as logger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';
import { ServerClocks } from '../../freshness/server-clocks.ts';
import { RedisPublisher } from '../../publisher.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection } from '../../testing.ts';
import type { ChannelLinkStatus } from '../../transport/link-status.ts';
import { MemoryServer } from '../../transport/memory/memory-server.ts';
import type { Transport } from '../../transport/port.ts';
import { FILLS, PRICES, pricePayload } from '../channels.fixture.ts';

const { PRICE_DATA, FEED_STATUS, INSTRUMENT_STATUS } = CHANNELS;

/** A bot with a fresh value of a gateway, a fresh value of its own channel, and an `event` channel. */
async function runningBot() {
  const clock = new ManualClock();
  const server = new MemoryServer(clock);
  const connection = new MemoryConnection({ server });
  const { subscribing } = connection;
  let emit: (status: ChannelLinkStatus) => void = () => {};
  const onStatus: Transport['onStatus'] = subscribing.onStatus.bind(subscribing);
  subscribing.onStatus = (listener: Parameters<Transport['onStatus']>[0]) => {
    emit = listener;
    return onStatus(listener);
  };
  const reads: string[] = [];
  const read = subscribing.read.bind(subscribing);
  subscribing.read = (...call) => {
    reads.push(call[0].name);
    return read(...call);
  };
  const publisher = new RedisPublisher({ connection: new MemoryConnection({ server }), clock });
  const bot = new RedisSubscriber({ connection, clock, logger });
  for (const channel of [PRICE_DATA, PRICES, FILLS]) bot.subscribe(channel, () => {});
  const status = { feed: 'sim', state: 'live', last_frame_ago_ms: 0, live_for_ms: 60_000 } as const;
  await publisher.publish(FEED_STATUS, status);
  await bot.startListening();
  await publisher.publish(PRICE_DATA, pricePayload({ symbol: 'A' }));
  await publisher.publish(PRICES, { symbol: 'A', price: 1 });
  await eventLoopTurns();
  const verdicts = () => [PRICE_DATA, PRICES].map((channel) => bot.latest(channel, 'A').verdict);
  const modes = () => [PRICE_DATA, PRICES, FILLS].map((channel) => bot.status(channel)?.mode);
  const error = new TickbusError('TICKBUS_NOT_CONNECTED', 'The node is down.');
  return {
    bot,
    reads,
    verdicts,
    modes,
    down: (channel: string) => emit({ type: 'disconnected', error, channel }),
    up: (channel: string) => emit({ type: 'connected', generation: 2, channel }),
    stale: (channel: string) => emit({ type: 'stale', silentForMs: 3_000, channel }),
  };
}

describe('the link of one channel', () => {
  it('that is down suspends that channel alone, and recovers it alone', async () => {
    const { down, up, modes, verdicts, reads } = await runningBot();
    expect([modes(), verdicts()]).toEqual([
      ['live', 'live', 'live'],
      ['fresh', 'fresh'],
    ]);
    down(PRICES.name);
    expect([modes(), verdicts()]).toEqual([
      ['live', 'recovering', 'live'],
      ['fresh', 'link_down'],
    ]);
    down(FILLS.name);
    reads.length = 0;
    up(PRICES.name);
    await eventLoopTurns();
    expect([modes(), verdicts()]).toEqual([
      ['live', 'live', 'recovering'],
      ['fresh', 'fresh'],
    ]);
    expect(reads).toEqual([PRICES.name]);
  });

  it('that is stale makes the values of that channel link_down', async () => {
    const { stale, verdicts } = await runningBot();
    stale(PRICES.name);
    expect(verdicts()).toEqual(['fresh', 'link_down']);
  });

  it.each([FEED_STATUS, INSTRUMENT_STATUS])(
    'makes the values of gateways link_down if it is that of $name',
    async ({ name }) => {
      const { down, up, verdicts, reads } = await runningBot();
      down(name);
      expect(verdicts()).toEqual(['link_down', 'fresh']);
      reads.length = 0;
      up(name);
      await eventLoopTurns();
      expect(verdicts()).toEqual(['fresh', 'fresh']);
      expect(reads).toEqual([name]);
    },
  );

  it('reports its states with the name of the channel', async () => {
    const { bot, down } = await runningBot();
    const statuses: unknown[] = [];
    bot.on('status', (status) => statuses.push(status));
    down(FILLS.name);
    expect(statuses).toMatchObject([{ type: 'disconnected', channel: FILLS.name }]);
  });
});

describe('the clocks of servers', () => {
  it('are independent if channels can be on different servers', () => {
    const clocks = new ServerClocks(true);
    clocks.add('A', 0, 2, 1_001);
    clocks.add('B', 0, 2, 9_001);
    expect([clocks.at('A', 1)?.time, clocks.at('B', 1)?.time]).toEqual([1_001, 9_001]);
    expect(clocks.at('C', 1)).toBeUndefined();
    const shift = clocks.add('A', 10, 12, 5_011);
    expect([shift?.shiftMs, shift?.isAbout('A'), shift?.isAbout('B')]).toEqual([4_000, true, false]);
  });

  it('are one clock otherwise', () => {
    const clocks = new ServerClocks(false);
    clocks.add('A', 0, 2, 1_001);
    expect(clocks.at('B', 1)?.time).toBe(1_001);
    expect(clocks.add('B', 10, 12, 5_011)?.isAbout('A')).toBe(true);
  });
});
