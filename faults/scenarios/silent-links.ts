// Links without data: the server hangs, the network drops packets, or nothing is published.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { type LinkStatus, type RedisConnection, RedisPublisher } from 'tickbus';
import { FILLS } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import { StatusLog } from '../status-log.ts';
import type { Testbed } from '../testbed.ts';
import { delay, within } from '../wait.ts';

const DETECTION_MS = 4_000;
/** The publisher's default deadline, and the tolerance for a busy machine. */
const DEADLINE_MS = 2_000;
const SLACK_MS = 500;

export const serverPaused: Scenario = {
  name: '03-server-paused',
  expected:
    'A server stopped for 30 s is reported stale within 4 s; a publish settles by its deadline as unknown.',
  waits: 'long',
  shortened: '6 s instead of 30',
  async run(testbed) {
    const { connection, publisher, links } = await publisherWithLinks(testbed, testbed.redis.port);
    const listener = await testbed.listen(FILLS);
    await testbed.send(publisher, FILLS);
    await testbed.settle();
    const pausedAt = performance.now();
    testbed.redis.pause();
    const first = testbed.send(publisher, FILLS).then((sent) => ({ sent, at: performance.now() }));
    const settled = await testbed.bounded(
      'The publish settles',
      DEADLINE_MS + SLACK_MS,
      pausedAt,
      first.then(({ at }) => at),
    );
    equal((await first).sent.outcome, 'unknown', 'a publish without a reply is unknown');
    const stale = await testbed.bounded(
      'stale',
      DETECTION_MS,
      pausedAt,
      listener.statuses.first('stale', pausedAt),
    );
    const also = await testbed.bounded(
      'stale link of the publisher',
      DETECTION_MS,
      pausedAt,
      links.first('stale', pausedAt),
    );
    testbed.note(
      `the publish settled after ${settled} ms; stale after ${stale} ms (publisher's link: ${also} ms)`,
    );
    testbed.reportWaiting();
    await delay(testbed.scaled(30_000, 6_000) - (performance.now() - pausedAt));
    const later = await testbed.send(publisher, FILLS);
    equal(later.outcome, 'refused', 'while the link is down, a publish is refused');
    const resumedAt = performance.now();
    testbed.redis.resume();
    await within('Live again', listener.statuses.first('live', resumedAt));
    await testbed.sendUntilAccepted(publisher, FILLS);
    await testbed.settle();
    await connection.close();
  },
};

export const blackholeIdle: Scenario = {
  name: '04-blackhole-idle',
  expected: 'An idle subscriber reconnects within 4 s if its packets are dropped in one or both directions.',
  waits: 'short',
  async run(testbed) {
    const publisher = testbed.publisher();
    const directions = ['both', 'to_client', 'to_server'] as const;
    const parts = await Promise.all(
      directions.map(async (direction) => {
        const proxy = await testbed.proxy();
        return { direction, proxy, listener: await testbed.listen(FILLS, { port: proxy.port }) };
      }),
    );
    await testbed.send(publisher, FILLS);
    await testbed.settle();
    const cutAt = performance.now();
    for (const { proxy, direction } of parts)
      for (const link of proxy.links) link.inject({ type: 'blackhole' }, direction);
    for (const { direction, listener } of parts) {
      const connected = listener.statuses.first('connected', cutAt);
      const took = await testbed.bounded(`Reconnect, ${direction}`, DETECTION_MS, cutAt, connected);
      const reported = listener.statuses.entries
        .filter(({ at, status }) => at >= cutAt && status.type !== 'slow')
        .map(({ status }) => status.type);
      deepEqual(
        reported.slice(0, 2),
        ['stale', 'disconnected'],
        'stale is reported first, then disconnected',
      );
      testbed.note(`${direction}: reconnected after ${took} ms`);
    }
    await testbed.send(publisher, FILLS);
    await testbed.settle();
  },
};

export const blackholeBusy: Scenario = {
  name: '05-blackhole-busy',
  expected: 'While messages are published, a link whose packets are dropped reconnects within 4 s too.',
  waits: 'short',
  async run(testbed) {
    const [both, toClient, publishing] = [
      await testbed.proxy(),
      await testbed.proxy(),
      await testbed.proxy(),
    ];
    const listeners = [
      await testbed.listen(FILLS, { port: both.port }),
      await testbed.listen(FILLS, { port: toClient.port }),
    ];
    const steady = testbed.publisher();
    const { publisher, links, connection } = await publisherWithLinks(testbed, publishing.port);
    await testbed.send(publisher, FILLS);
    let isStopped = false;
    const publishAll = async (by: RedisPublisher) => {
      let slowest = 0;
      while (!isStopped) {
        const sentAt = performance.now();
        await testbed.send(by, FILLS);
        slowest = Math.max(slowest, performance.now() - sentAt);
        await delay(2);
      }
      return Math.round(slowest);
    };
    const runs = [publishAll(steady), publishAll(publisher)];
    await delay(300);
    const cutAt = performance.now();
    for (const link of both.links) link.inject({ type: 'blackhole' });
    for (const link of toClient.links) link.inject({ type: 'blackhole' }, 'to_client');
    for (const link of publishing.links) link.inject({ type: 'blackhole' });
    for (const [index, statuses] of [...listeners.map((one) => one.statuses), links].entries()) {
      const who =
        ['the subscriber, both directions', 'the subscriber, to_client', 'the publisher'][index] ?? '';
      const took = await testbed.bounded(
        `Reconnect of ${who}`,
        DETECTION_MS,
        cutAt,
        statuses.first('connected', cutAt),
      );
      testbed.note(`${who} reconnected after ${took} ms`);
    }
    isStopped = true;
    const [, slowest = 0] = await Promise.all(runs);
    testbed.note(`the slowest publish settled after ${slowest} ms`);
    await testbed.sendUntilAccepted(publisher, FILLS);
    await testbed.settle();
    ok(slowest <= DEADLINE_MS + SLACK_MS, `every publish settles by its deadline; one took ${slowest} ms`);
    await connection.close();
  },
};

export const idleAndHealthy: Scenario = {
  name: '06-idle-and-healthy',
  expected: 'In five minutes without a message no healthy link reconnects.',
  waits: 'long',
  shortened: '12 s instead of 5 minutes',
  async run(testbed) {
    const { publisher, links, connection } = await publisherWithLinks(testbed, testbed.redis.port);
    const proxy = await testbed.proxy();
    const listeners = [await testbed.listen(FILLS), await testbed.listen(FILLS, { port: proxy.port })];
    await testbed.send(publisher, FILLS);
    await testbed.settle();
    testbed.reportWaiting();
    await delay(testbed.scaled(300_000, 12_000));
    const all = [...listeners.map(({ statuses }) => statuses), links];
    for (const statuses of all) {
      equal(statuses.count('connected') <= 1, true, `connected once; statuses: ${statuses}`);
      equal(
        statuses.count('stale') + statuses.count('disconnected'),
        0,
        `neither stale nor disconnected; statuses: ${statuses}`,
      );
    }
    equal(proxy.accepted, 1, 'the subscriber connected once');
    await testbed.send(publisher, FILLS);
    await testbed.settle();
    for (const { recorder } of listeners)
      await within(
        'The message after the silence',
        recorder.until(({ seen }) => seen.length === 2),
      );
    await connection.close();
  },
};

/** A publisher with a separate connection, and a log of the statuses of its link. */
async function publisherWithLinks(testbed: Testbed, port: number) {
  const connection: RedisConnection = testbed.connection(port);
  const links = new StatusLog();
  connection.publishing.onStatus((status: LinkStatus) => links.add(status));
  const publisher = new RedisPublisher({ connection, sender: 'faults' });
  await publisher.connect();
  return { connection, publisher, links };
}
