// What a client reports when no sentinel leads it to a master.

import { SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { freePort } from '@tickbus/local-redis';
import { EventRecorder, silentLogger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import type { TickbusError } from '../../errors.ts';

const SEED = 1;
const PASSWORD = 'correct-horse';
let group: SentinelGroup;
beforeAll(async () => {
  group = await SentinelGroup.start({ random: new Random(SEED), sentinelPassword: PASSWORD });
});
afterAll(() => group[Symbol.asyncDispose]());

function connect(url: string): Promise<void> {
  const connection = new RedisConnection({ url, logger: silentLogger });
  onTestFinished(() => connection.close());
  return connection.publishing.connect();
}

async function failureOf(url: string): Promise<TickbusError> {
  return connect(url).then(
    () => expect.unreachable('it connected'),
    (error: TickbusError) => error,
  );
}

const sentinel = (index: number) => `127.0.0.1:${group.sentinels[index]?.proxy.port}`;
const login = `?sentinel_password=${PASSWORD}`;

describe('a connection behind Sentinel', () => {
  it('connects with one living sentinel among dead and unknown hosts', async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    await connect(`redis+sentinel://${dead},nowhere.invalid:26379,${sentinel(1)}/mymaster${login}`);
  });

  it('names every host when no sentinel answers', async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    const error = await failureOf(`redis+sentinel://${dead},nowhere.invalid:26379/mymaster`);
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toContain(
      `${dead} refused the connection; nowhere.invalid:26379 is an unknown host name`,
    );
    expect(error.message).toContain('Start the sentinels');
  });

  it('says that the sentinels do not know the name', async () => {
    const error = await failureOf(`redis+sentinel://${sentinel(0)}/other${login}`);
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toContain('"other"');
    expect(error.message).toContain('does not watch a master of this name');
  });

  it.each([
    ['wrong', '?sentinel_password=wrong-horse', 'rejects the password'],
    ['missing', '', 'requires a password'],
  ])('reports a %s password of the sentinels, without repeating it', async (_, query, text) => {
    const error = await failureOf(`redis+sentinel://:secret-of-redis@${sentinel(0)}/mymaster${query}`);
    expect(error).toMatchObject({ code: 'TICKBUS_AUTH_FAILED', field: 'sentinel_password' });
    expect(error.message).toContain(text);
    expect(JSON.stringify([error, error.cause ?? ''])).not.toMatch(
      /wrong-horse|secret-of-redis|correct-horse/,
    );
  });

  it('says that a Redis server is no sentinel', async () => {
    const { proxy } = await group.master();
    const error = await failureOf(`redis+sentinel://127.0.0.1:${proxy.port}/mymaster`);
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toContain(`127.0.0.1:${proxy.port} is no sentinel`);
  });

  it('does not wait for a sentinel that hangs', async () => {
    const [, , last] = group.sentinels;
    last?.server.pause();
    onTestFinished(() => last?.server.resume());
    const startedAt = performance.now();
    await connect(group.url);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });
});

describe('a publish that the server refuses', () => {
  const channel = { name: 'SENTINEL_REFUSALS', kind: 'event', history: 0 } as const;
  const batch = [{ json: '{"message_type":"note","data":{},"timestamp":1,"sender":"t"}' }];

  async function connectedLink() {
    const connection = new RedisConnection({ url: group.url, logger: silentLogger });
    onTestFinished(() => connection.close());
    const link = connection.publishing;
    await link.connect();
    const statuses = new EventRecorder<string>();
    link.onStatus(({ type }) => statuses.add(type));
    return { link, statuses };
  }

  it.each([
    ['READONLY', 'yes'],
    ['MASTERDOWN', 'no'],
  ])(
    'because it became a replica (%s) is not published, and the link looks for the master',
    async (reply, servesStale) => {
      const { link, statuses } = await connectedLink();
      const { server } = await group.master();
      await server.answers(`CONFIG SET replica-serve-stale-data ${servesStale}`, 'REPLICAOF 127.0.0.1 1');
      await expect(link.publish(channel, batch)).rejects.toMatchObject({
        code: 'TICKBUS_NOT_CONNECTED',
        retryable: true,
        message: expect.stringMatching(new RegExp(`${reply}.*looks for the master`)),
      });
      expect(statuses.items[0]).toBe('disconnected');
      await server.answers('REPLICAOF NO ONE');
      await statuses.first((type) => type === 'connected');
      await link.publish(channel, batch);
    },
  );

  it('because it has too few replicas is not published, and the link stays', async () => {
    const { link, statuses } = await connectedLink();
    const { server } = await group.master();
    await server.answers('CONFIG SET min-replicas-to-write 9');
    await expect(link.publish(channel, batch)).rejects.toMatchObject({
      code: 'TICKBUS_SERVER_ERROR',
      message: expect.stringContaining('NOREPLICAS'),
    });
    await server.answers('CONFIG SET min-replicas-to-write 0');
    await link.publish(channel, batch);
    expect(statuses.items).toEqual([]);
  });
});
