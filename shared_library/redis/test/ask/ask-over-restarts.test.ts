// Asks on a real Redis that restarts or changes its partitions while it is unknown whether a command was published:
// none is obeyed twice, also if another bot has taken the place of the first.

import { TcpProxy } from '@tickbus/fault-kit/proxy';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { errorOf, silentLogger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { RedisConnection } from '../../connection.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';

const RESULTS = defineChannel('JOB_RESULTS', {
  kind: 'event',
  messages: { result: z.object({ command_id: z.string(), outcome: z.string() }) },
});
const JOBS = defineChannel('JOBS', {
  kind: 'command',
  key: 'worker',
  expiresInMs: 120_000,
  messages: { job: z.object({ worker: z.string() }) },
  answers: RESULTS,
});

/** Takes the commands for `worker`, and answers them if asked to. */
class Worker implements AsyncDisposable {
  readonly obeyed: string[] = [];
  readonly #subscriber: RedisSubscriber;
  readonly #publisher: RedisPublisher;

  constructor(url: string, answers: boolean) {
    this.#subscriber = new RedisSubscriber({ url, logger: silentLogger });
    this.#publisher = new RedisPublisher({ url, logger: silentLogger });
    this.#subscriber.subscribe(JOBS, async ({ id = '' }) => {
      this.obeyed.push(id);
      if (answers) await this.#publisher.publish(RESULTS, { command_id: id, outcome: 'done' });
    });
  }

  start(): Promise<void> {
    return this.#subscriber.startListening();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subscriber.close();
    await this.#publisher.close();
  }
}

/** Asks for the job `job-77`, whose reply is lost. Resolves when the first worker has obeyed. */
async function askWithLostReply(redis: LocalRedis, proxy: TcpProxy, timeoutMs: number) {
  // Loads the script. Otherwise the lost reply would ask for it, and nothing be published.
  await using other = new RedisPublisher({ url: redis.url, logger: silentLogger });
  await other.publish(JOBS, { worker: 'nobody' });
  const desk = new RedisPublisher({ url: `redis://127.0.0.1:${proxy.port}`, logger: silentLogger });
  const first = new Worker(redis.url, false);
  await first.start();
  const dropped = proxy.dropReplyTo('job-77');
  const asked = desk.ask(JOBS, { worker: 'w' }, { id: 'job-77', timeoutMs });
  asked.catch(() => {});
  const link = await dropped;
  await expect.poll(() => first.obeyed).toEqual(['job-77']);
  return { desk, first, asked, link };
}

it.concurrent.each([
  ['keeps its memory', { keepsData: true, args: ['--appendonly', 'yes', '--appendfsync', 'always'] }],
  ['loses its memory', {}],
] as const)('a server that %s: the first command of a desk is obeyed once', async (_, options) => {
  await using redis = await startLocalRedis({ ...options });
  await using proxy = await TcpProxy.start({ port: redis.port, random: new Random(1) });
  const { desk, first, asked } = await askWithLostReply(redis, proxy, 6_000);
  proxy.refuse();
  await redis.kill();
  await redis.start();
  await first[Symbol.asyncDispose]();
  await using second = new Worker(redis.url, true);
  await second.start();
  proxy.heal();
  const isKept = 'keepsData' in options;
  // The server that remembers the id confirms that the command was published.
  const code = isKept ? 'TICKBUS_NO_ANSWER' : 'TICKBUS_OUTCOME_UNKNOWN';
  expect(await errorOf(asked)).toMatchObject({ code, messageId: 'job-77' });
  // A command that is certainly published later than every retry.
  await desk.ask(JOBS, { worker: 'w' }, { id: 'last', timeoutMs: 60_000 });
  expect(second.obeyed).toEqual(['last']);
  await desk.close();
});

it.concurrent('a channel whose number of partitions changes: the command is obeyed once', async () => {
  await using redis = await startLocalRedis();
  await using proxy = await TcpProxy.start({ port: redis.port, random: new Random(1) });
  const { desk, first, asked, link } = await askWithLostReply(redis, proxy, 6_000);
  await using admin = new RedisConnection({ url: redis.url, logger: silentLogger });
  await admin.publishing.connect();
  await admin.publishing.setPartitions(JOBS, 2);
  await using second = new Worker(redis.url, true);
  await second.start();
  // The desk learns the new number while the outcome is unknown.
  proxy.heal();
  link.reset();
  await expect
    .poll(() => desk.ask(JOBS, { worker: 'v' }, { timeoutMs: 5_000 }).then(({ outcome }) => outcome, String))
    .toBe('done');
  expect(await errorOf(asked)).toMatchObject({ messageId: 'job-77' });
  expect([...first.obeyed, ...second.obeyed].filter((id) => id === 'job-77')).toEqual(['job-77']);
  await first[Symbol.asyncDispose]();
  await desk.close();
});
