// bridge.ts: prices of one server on a cluster, with verdicts that follow the gateway.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startLocalRedis } from '@tickbus/local-redis';
import { LocalCluster } from '@tickbus/local-redis/cluster';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it, vi } from 'vitest';

const BRIDGE = await bundledProgram(new URL('../bridge.ts', import.meta.url));

vi.setConfig({ testTimeout: 60_000 });

it('copies fresh prices to a cluster until SIGTERM, and no stored ones', async () => {
  await using old = await startLocalRedis();
  await using cluster = await LocalCluster.start();
  await using gateway = new RedisPublisher({ url: old.url, sender: 'gateway' });
  await gateway.publish(CHANNELS.PRICE_DATA, { symbol: 'STORED', price: 1, timestamp: 0 });
  const publish = () => {
    const heartbeat = { feed: 'test', last_frame_ago_ms: 0, live_for_ms: 60_000, interval_ms: 200 };
    gateway.publish(CHANNELS.FEED_STATUS, { ...heartbeat, state: 'live' });
    gateway.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 187.5, timestamp: 0 });
  };
  const timer = setInterval(publish, 100);
  const bridge = spawn(process.execPath, [BRIDGE], {
    env: { ...process.env, REDIS_URL: old.url, TO_URL: cluster.url },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  try {
    await using bot = new RedisSubscriber({ url: cluster.url });
    const symbols = new Set<string>();
    bot.subscribe(CHANNELS.PRICE_DATA, ({ data }) => void symbols.add(data.symbol), { maxAgeMs: 60_000 });
    const verdict = (wanted: string) =>
      new Promise<void>((resolve) =>
        bot.on('verdict', ({ key, verdict }) => key === 'AAPL' && verdict === wanted && resolve()),
      );
    const isFresh = verdict('fresh');
    await bot.startListening();
    await isFresh;
    const { data, sender } = bot.requireFresh(CHANNELS.PRICE_DATA, 'AAPL', { maxAgeMs: 60_000 });
    expect([data.price, sender]).toEqual([187.5, 'bridge']);
    expect([...symbols]).toEqual(['AAPL']);
    const isDown = verdict('gateway_down');
    clearInterval(timer);
    await isDown;
    const exit = once(bridge, 'exit');
    bridge.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  } finally {
    clearInterval(timer);
    bridge.kill('SIGKILL');
  }
});
