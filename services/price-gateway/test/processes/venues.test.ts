// Two gateways as processes, two venues, one Redis: what happens to one venue does not affect the other.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import type { VerdictChange } from 'tickbus';
import { CHANNELS, priceChannel } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { ReceivedValues, SILENT } from '../gateway.fixture.ts';
import { gatewaySettings } from './child-processes.fixture.ts';
import { GatewayTestbed } from './gateway-testbed.fixture.ts';

// Processes take a while to start on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MAIN = await bundledProgram(new URL('../../main.ts', import.meta.url));
const SECOND = priceChannel('second');
/** A heartbeat each second, so that a busy machine does not look like a dead gateway. */
const LEASE = { LEASE_TTL_MS: '6000' };

let main: GatewayTestbed;
let second: GatewayTestbed;

beforeAll(async () => {
  main = await GatewayTestbed.start();
  second = await GatewayTestbed.start({}, main.url);
});

afterAll(async () => {
  await second?.[Symbol.asyncDispose]();
  await main?.[Symbol.asyncDispose]();
});

it('keeps one venue fresh while the gateway of the other is killed, and refuses a false standby', async () => {
  const first = main.spawnGateway(LEASE);
  second.spawnGateway({ ...LEASE, CHANNEL: SECOND.name });
  await using bot = new RedisSubscriber({ url: main.url, logger: SILENT });
  const verdicts = new ReceivedValues<VerdictChange>();
  bot.on('verdict', verdicts.add);
  const options = { keys: ['AAPL'], maxAgeMs: 10_000 };
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, options);
  bot.subscribe(SECOND, () => {}, options);
  await bot.startListening();
  const until = (channel: { name: string }, verdict: string, from = 0) =>
    verdicts.until((change) => change.channel === channel.name && change.verdict === verdict, from);
  await Promise.all([until(CHANNELS.PRICE_DATA, 'fresh'), until(SECOND, 'fresh')]);

  const killedAt = verdicts.all.length;
  await first.kill();
  await until(CHANNELS.PRICE_DATA, 'gateway_down', killedAt);
  expect(bot.latest(SECOND, 'AAPL').verdict).toBe('fresh');
  expect(() => bot.requireFresh(CHANNELS.PRICE_DATA, 'AAPL', { maxAgeMs: 10_000 })).toThrow('gateway_down');

  // The channel of the killed gateway is not free for another feed at once, but for the same one.
  const settings = { ...LEASE, ALPACA_URL: second.broker.url.replace('iex', 'sip') };
  const wrong = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, ...gatewaySettings(main.url, second.broker.url, settings) },
  });
  const [report] = await Promise.all([text(wrong.stderr), once(wrong, 'exit')]);
  expect(wrong.exitCode).toBe(1);
  expect(report).toMatch(/^The feed of this gateway is alpaca \(sip\), but .* alpaca \(iex\)/m);
  main.spawnGateway(LEASE);
  await until(CHANNELS.PRICE_DATA, 'fresh', killedAt);
  expect(verdicts.all.slice(killedAt).filter(({ channel }) => channel === SECOND.name)).toEqual([]);
});
