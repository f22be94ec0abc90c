// Fake timers of vitest, which are those of Jest (@sinonjs/fake-timers), and of node:test, with the in-memory server.

import { startLocalRedis } from '@tickbus/local-redis';
import { deferred, errorOf, silentLogger } from '@tickbus/test-kit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection, ScriptedGateway } from '../../testing.ts';
import { SystemClockDesk } from './desk.fixture.ts';
import { FAKES, TIMERS, uninstallFakes } from './fakes.fixture.ts';

afterEach(uninstallFakes);

describe.each(FAKES)('with $name', ({ install, advance }) => {
  it('messages flow, without advancing the timers', async () => {
    install();
    await using desk = await SystemClockDesk.open();
    const { outcome } = await desk.publisher.ask(desk.bot.commands, { bot: 'momentum' }, { type: 'pause' });
    expect([outcome, desk.bot.state, desk.verdict()]).toEqual(['done', 'paused', 'fresh']);
  });

  it('a price becomes stale', async () => {
    install();
    await using desk = await SystemClockDesk.open();
    await advance(2_900);
    expect(desk.verdict()).toBe('fresh');
    await advance(200);
    expect(desk.verdict()).toBe('quiet_market');
    await desk.publishPrice();
    expect(desk.verdict()).toBe('fresh');
  });

  it('a bot reports its status every two seconds', async () => {
    install();
    await using desk = await SystemClockDesk.open();
    await advance(5_000);
    expect(desk.statuses).toEqual(['running', 'running', 'running']);
  });

  it('a command expires', async () => {
    install();
    await using desk = await SystemClockDesk.open();
    const busy = deferred();
    const types: string[] = [];
    desk.subscriber.on('expired', ({ message }) => types.push(`${message.message_type} expired`));
    desk.subscriber.subscribe(CHANNELS.TRADE_COMMANDS, ({ message_type }) => {
      types.push(message_type);
      return busy.promise;
    });
    await desk.publisher.publish(CHANNELS.TRADE_COMMANDS, { bot: 'other' }, { type: 'pause' });
    const options = { type: 'resume', expiresInMs: 1_000 } as const;
    await desk.publisher.publish(CHANNELS.TRADE_COMMANDS, { bot: 'other' }, options);
    await advance(1_500);
    busy.resolve();
    for (let turn = 0; turn < 10; turn++) await new Promise<void>(systemClock.nextTurn);
    expect(types).toEqual(['pause', 'resume expired']);
  });

  it('a lease is gained, renewed, and lost with its link', async () => {
    install();
    await using desk = await SystemClockDesk.open();
    await desk.lease.start();
    expect(desk.lease.state).toBe('holding_off');
    await advance(10_000);
    expect([desk.lease.holds, desk.leaseEvents]).toEqual([true, ['gained']]);
    desk.connection.disconnect();
    await advance(3_000);
    expect([desk.lease.holds, desk.leaseEvents]).toEqual([false, ['gained', 'expired']]);
    desk.connection.reconnect();
  });
});

it('a scripted gateway with timers that cannot work rejects once, and leaves nothing behind', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] });
  const unhandled: unknown[] = [];
  const listener = (error: unknown) => void unhandled.push(error);
  process.prependListener('unhandledRejection', listener);
  const error = await errorOf(ScriptedGateway.start({ clock: systemClock }));
  for (let turn = 0; turn < 20; turn++) await new Promise<void>(systemClock.nextTurn);
  process.removeListener('unhandledRejection', listener);
  expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'clock' });
  expect(unhandled).toEqual([]);
});

it('a price from before the installation becomes stale', async () => {
  await using desk = await SystemClockDesk.open();
  expect(desk.verdict(60_000)).toBe('fresh');
  vi.useFakeTimers();
  await vi.advanceTimersByTimeAsync(60_001);
  expect(desk.verdict(60_000)).not.toBe('fresh');
});

it('monotonic time goes on when fake timers are installed, set back, advanced and removed', () => {
  const times = [systemClock.monotonic()];
  const read = () => times.push(systemClock.monotonic());
  vi.useFakeTimers({ toFake: [...TIMERS, 'Date'] });
  read();
  vi.setSystemTime(0);
  read();
  vi.advanceTimersByTime(1_000);
  read();
  vi.useFakeTimers();
  vi.advanceTimersByTime(1_000);
  read();
  vi.useRealTimers();
  read();
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times.at(-1)).toBeGreaterThanOrEqual((times[0] ?? 0) + 2_000);
});

it('a date that is set alone changes neither ages nor leases', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  await using desk = await SystemClockDesk.open();
  vi.setSystemTime(Date.now() + 3_600_000);
  expect(desk.verdict(60_000)).toBe('fresh');
});

it('a timer from before the installation is cancelled', async () => {
  const called: string[] = [];
  const cancel = systemClock.after(1, () => called.push('cancelled'));
  vi.useFakeTimers();
  cancel();
  vi.useRealTimers();
  await new Promise<void>((resolve) => systemClock.after(5, resolve));
  expect(called).toEqual([]);
});

it('timers without a clock are refused, with advice', async () => {
  vi.useFakeTimers({ toFake: [...TIMERS] });
  const subscriber = new RedisSubscriber({ connection: new MemoryConnection(), logger: silentLogger });
  subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
  expect(await errorOf(subscriber.startListening())).toMatchObject({
    code: 'TICKBUS_INVALID_OPTION',
    field: 'clock',
    message: expect.stringContaining('ManualClock'),
  });
  vi.useRealTimers();
  await subscriber.close();
});

describe('a connection to Redis', () => {
  it('is refused with advice while fake timers stand still', async () => {
    const redis = await startLocalRedis();
    vi.useFakeTimers();
    const publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
    expect(await errorOf(publisher.connect())).toMatchObject({
      code: 'TICKBUS_CONNECT_FAILED',
      message: expect.stringContaining('Use MemoryConnection'),
    });
    vi.useRealTimers();
    await publisher.close();
    await redis.kill();
  });

  it('works with fake timers that advance by themselves', async () => {
    const redis = await startLocalRedis();
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
    await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 1, timestamp: 0 });
    vi.useRealTimers();
    await publisher.close();
    await redis.kill();
  });
});
