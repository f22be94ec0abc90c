// Namespaces: which names are accepted, and where two namespaces would meet.

import { errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, describe, expect, it } from 'vitest';
import { RedisAdmin } from '../../admin.ts';
import { checkedNamespace, nameIn, nameWithout, specIn } from '../../channel/namespace.ts';
import { RedisConnection } from '../../connection.ts';
import { readConfig } from '../../constants.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection, MemoryServer } from '../../testing.ts';
import { PRICES } from '../channels.fixture.ts';

const closing: { close(): Promise<void> }[] = [];
afterAll(() => Promise.all(closing.map((resource) => resource.close())));

function opened<T extends { close(): Promise<void> }>(resource: T): T {
  closing.push(resource);
  return resource;
}

const REFUSED: readonly [namespace: unknown, problem: RegExp][] = [
  ['', /is empty/],
  ['a:b', /contains a colon/],
  ['{paper}', /contains a brace/],
  ['pa per', /contains a character/],
  ['paper\n', /contains a character/],
  ['päper', /contains a character/],
  ['*', /contains a character/],
  ['a'.repeat(65), /has 65 characters/],
  ['job', /is "job", the prefix of the leases of jobs/],
  [7, /is a number/],
  [null, /is null/],
];

describe('a namespace', () => {
  it.each(['paper', 'live-2', 'A.b_C', '0', 'a'.repeat(64)])('can be %s', (namespace) => {
    expect(checkedNamespace(namespace, 'namespace')).toBe(namespace);
  });

  it.each(REFUSED)('cannot be %j, and the error says what to do', async (namespace, problem) => {
    const places: readonly ((options: { namespace: never }) => unknown)[] = [
      (options) => new RedisConnection(options),
      (options) => new RedisPublisher(options),
      (options) => new RedisSubscriber(options),
      (options) => new RedisLease({ name: 'report', ...options }),
      (options) => new RedisAdmin(options),
      (options) => new MemoryConnection(options),
    ];
    for (const create of places) {
      const error = (await errorOf(() => create({ namespace: namespace as never }))) as TickbusError;
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'namespace' });
      expect(error.message).toMatch(problem);
      expect(error.message).toMatch(/^namespace .* Use 1 to 64 letters, digits, "-", "_" and "\."/);
    }
  });

  it('is a prefix of names, which can be taken off again', () => {
    expect(nameIn('paper', 'PRICE_DATA')).toBe('paper:PRICE_DATA');
    expect(nameWithout('paper', 'paper:PRICE_DATA')).toBe('PRICE_DATA');
    expect(nameWithout('paper', 'paper2:PRICE_DATA')).toBeUndefined();
    expect(nameWithout('paper', 'PRICE_DATA')).toBeUndefined();
    expect([nameIn(undefined, 'A'), nameWithout(undefined, 'paper:A')]).toEqual(['A', 'paper:A']);
  });

  it('renames a spec once, and without a namespace not at all', () => {
    const inPaper = specIn('paper');
    expect(inPaper(PRICES)).toMatchObject({ name: 'paper:PRICES', kind: 'state', history: 0 });
    expect(inPaper(PRICES)).toBe(inPaper(PRICES));
    expect(specIn(undefined)(PRICES)).toBe(PRICES);
  });
});

it('a connection to a cluster has a link of its own for each channel in a namespace, too', () => {
  const connection = opened(new RedisConnection({ url: 'redis+cluster://127.0.0.1:1', namespace: 'paper' }));
  expect(connection.subscribing.byChannel).toBe(true);
});

describe('TICKBUS_NAMESPACE', () => {
  it('is the namespace of CONFIG; empty counts as not set', () => {
    expect(readConfig({ TICKBUS_NAMESPACE: 'paper' }).NAMESPACE).toBe('paper');
    expect(readConfig({ TICKBUS_NAMESPACE: '' }).NAMESPACE).toBeUndefined();
    expect(readConfig({}).NAMESPACE).toBeUndefined();
  });

  it('is refused with its name when it is read, and leaves the address usable', async () => {
    const config = readConfig({ TICKBUS_NAMESPACE: 'hunter2 {x}', REDIS_HOST: 'cache' });
    const error = (await errorOf(() => config.NAMESPACE)) as TickbusError;
    expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'TICKBUS_NAMESPACE' });
    expect(error.message).toMatch(/^TICKBUS_NAMESPACE contains a brace/);
    expect(error.message).not.toContain('hunter2');
    expect(config.HOST).toBe('cache');
  });
});

describe('two namespaces', () => {
  it('cannot share a connection', async () => {
    const paper = opened(new MemoryConnection({ namespace: 'paper' }));
    const bare = opened(new MemoryConnection());
    for (const [connection, own] of [
      [paper, /whose namespace is "paper"/],
      [bare, /which has no namespace/],
    ] as const) {
      const options = { connection, namespace: 'live', logger } as never;
      for (const create of [
        () => new RedisPublisher(options),
        () => new RedisSubscriber(options),
        () => new RedisLease(Object.assign({ name: 'report' }, options)),
      ]) {
        const error = (await errorOf(create)) as TickbusError;
        expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'namespace' });
        expect(error.message).toMatch(own);
        expect(error.message).toMatch(/Create a connection for each namespace/);
      }
    }
  });

  it('cannot share a lease', async () => {
    const server = new MemoryServer();
    const paper = opened(new MemoryConnection({ server, namespace: 'paper' }));
    const lease = opened(new RedisLease({ channel: PRICES, connection: paper, logger }));
    for (const [namespace, words] of [
      ['live', /the namespace "live"/],
      [undefined, /no namespace/],
    ] as const) {
      const connection = opened(new MemoryConnection({ server, ...(namespace && { namespace }) }));
      const error = (await errorOf(() => new RedisPublisher({ connection, lease }))) as TickbusError;
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'lease' });
      expect(error.message).toMatch(
        /^The lease of PRICES is in the namespace "paper", and the publisher in /,
      );
      expect(error.message).toMatch(words);
    }
    opened(new RedisPublisher({ connection: paper, lease }));
  });
});
