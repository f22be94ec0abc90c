// Asks on a real Redis over links that are cut: every one ends once, and none is obeyed twice.

import { askOverCuts } from '@tickbus/fault-kit/asks';
import { TcpProxy } from '@tickbus/fault-kit/proxy';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { errorOf, silentLogger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defineBot } from '../../bot.ts';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

it('600 asks over cut links end once each; none is obeyed twice', async () => {
  const random = new Random(Number(process.env.TICKBUS_SEED ?? Date.now() % 2 ** 31));
  console.log(`ask-over-cuts: seed ${random.seed}`);
  const options = { port: redis.port, count: 600, random, logger: silentLogger, timeoutMs: 3_000 };
  const { outcomes, violations, cuts } = await askOverCuts(options);
  console.log(`${cuts} cuts, ${JSON.stringify(outcomes)}`);
  expect(violations).toEqual([]);
  expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(600);
  expect(cuts).toBeGreaterThan(0);
  expect(outcomes.done).toBeGreaterThan(100);
}, 240_000);

it('an ask whose reply is lost gets its answer, or the answer after a retry, and is obeyed once', async () => {
  await using proxy = await TcpProxy.start({ port: redis.port, random: new Random(1) });
  const ids: (string | undefined)[] = [];
  await using bot = defineBot({ name: 'asked', url: redis.url, logger: silentLogger }).onCommand(
    'cancel_all',
    ({ id }) => {
      ids.push(id);
      return { outcome: 'done' };
    },
  );
  await bot.start();
  await using desk = new RedisPublisher({ url: `redis://127.0.0.1:${proxy.port}`, logger: silentLogger });
  const dropped = proxy.dropReplyTo('lost-reply');
  const asked = desk.ask(
    CHANNELS.TRADE_COMMANDS,
    { bot: 'asked' },
    { type: 'cancel_all', id: 'lost-reply', timeoutMs: 50_000 },
  );
  (await dropped).reset();
  expect(await asked).toMatchObject({ command_id: 'lost-reply', outcome: 'done' });
  expect(ids).toEqual(['lost-reply']);
});

it('fails with the error of the connection if there is none', async () => {
  await using desk = new RedisPublisher({ host: '127.0.0.1', port: 1, logger: silentLogger });
  const asked = desk.ask(CHANNELS.TRADE_COMMANDS, { bot: 'any' }, { type: 'pause' });
  expect(await errorOf(asked)).toMatchObject({ code: 'TICKBUS_CONNECT_FAILED', messageId: undefined });
});

it('fails with the link for good, without waiting for its time', async () => {
  await redis.answers('ACL SETUSER desk on >secret allchannels ~* +@all');
  const url = redis.url.replace('//', '//desk:secret@');
  await using desk = new RedisPublisher({ url, logger: silentLogger });
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await using bot = defineBot({ name: 'silent', url: redis.url, logger: silentLogger }).onCommand(
    'cancel_all',
    async () => {
      await released;
      return { outcome: 'done' };
    },
  );
  await bot.start();
  let published: () => void = () => {};
  const isPublished = new Promise<void>((resolve) => {
    published = resolve;
  });
  const asked = errorOf(
    desk.ask(
      CHANNELS.TRADE_COMMANDS,
      { bot: 'silent' },
      { type: 'cancel_all', timeoutMs: 600_000, onPublished: () => published() },
    ),
  );
  await isPublished;
  await redis.answers('ACL SETUSER desk resetpass >another', 'CLIENT KILL USER desk');
  expect(await asked).toMatchObject({ code: 'TICKBUS_NO_ANSWER', cause: { code: 'TICKBUS_AUTH_FAILED' } });
  release();
});
