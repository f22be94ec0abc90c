// Endless verbs reconnect after a server restart, and exit if the new server rejects their credentials.

import { startLocalRedis } from '@tickbus/local-redis';
import { expect, it } from 'vitest';
import { startInTerminal, startTickbus, withServer } from './harness.ts';

const server = withServer();
const { env, publish } = server;

it('sub, top, bots --watch and price --watch reconnect after a restart', async () => {
  await publish('BOT_STATUS', { bot: 'early', state: 'running' });
  const sub = startTickbus(['sub', 'PRICE_DATA', '-v'], { env: env() });
  const top = startTickbus(['top', '--json', '-i', '100ms'], { env: env() });
  const bots = startTickbus(['bots', '--json', '--watch'], { env: env() });
  const price = startTickbus(['price', 'AAPL', '--json', '--watch'], { env: env() });
  const screen = startInTerminal(['top', '-i', '100ms'], { env: env() });
  await Promise.all([
    sub.err(/Listening/),
    top.out(/PRICE_DATA/),
    bots.out(/early/),
    price.out(/gateway_down/),
    screen.out(/PRICE_DATA/),
  ]);

  await server.redis.kill();
  await Promise.all([
    sub.err(/was lost: .* Reconnecting\./),
    top.err(/warning: Cannot read from Redis; the view is out of date\. Retrying\./),
    bots.err(/warning: Cannot read from Redis/),
    price.out(/link_down/),
    // The warning appears below the last view, which is redrawn in place.
    screen.out(/TRADE_COMMANDS[^\n]*\n[^\n]*Cannot read from Redis/),
  ]);

  await server.redis.start();
  await Promise.all([sub.err(/Reconnected\./), top.err(/Reconnected\./), bots.err(/Reconnected\./)]);
  await publish('BOT_STATUS', { bot: 'late', state: 'running' });
  await publish('PRICE_DATA', { symbol: 'AAPL', price: 42, timestamp: 0 });
  await Promise.all([
    sub.out(/"price":42/),
    top.out(/"PRICE_DATA"[^\n]*"messages":1/),
    bots.out(/late/),
    price.out(/"price":42/),
    screen.out(/PRICE_DATA +\d+\.\d +\d+\.\d +\d+ +1 /),
  ]);

  await server.redis.kill();
  await using otherServer = await startLocalRedis({
    port: server.redis.port,
    args: ['--requirepass', 'another'],
  });
  for (const { ended } of [sub, top, bots, price, screen]) {
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(/tickbus:[^\n]*Redis at redis:\S+ [^\n]*NOAUTH/);
  }
  expect(otherServer.port).toBe(server.redis.port);
});
