// An exclusive writer (a lease holder) loses its link. After the reconnect, the outcome of each message is known.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { SentRecord } from '@tickbus/fault-kit/records';
import { checkCallOrder } from '@tickbus/fault-kit/writers';
import { createClient } from 'redis';
import { type FaultChannel, LEASED_FILLS, LEASED_TICKS } from '../fault-channels.ts';
import { LeaseCandidate } from '../lease-candidate.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { eventually, within } from '../wait.ts';

const CHANNELS = [LEASED_FILLS, LEASED_TICKS];
const CUT_EVERY_MS = 50;
const MAX_IN_FLIGHT = 500;
/** Long enough that no publish fails while it waits for the link. */
const LONG_DEADLINE_MS = 10_000;

export const writerCut: Scenario = {
  name: '30-writer-cut',
  expected:
    "With an exclusive writer's link cut every 50 ms, no outcome is unknown, and no message is lost or repeated.",
  shortened: '20,000 messages instead of 100,000',
  async run(testbed) {
    const count = testbed.scaled(50_000, 10_000);
    for (const channel of CHANNELS) {
      const proxy = await testbed.proxy();
      const { recorder } = await testbed.listen(channel);
      const writer = await LeaseCandidate.join(testbed, channel, {
        port: proxy.port,
        deadlineMs: LONG_DEADLINE_MS,
      });
      await writer.untilHeld();
      const cutting = cutEvery(proxy, CUT_EVERY_MS);
      const outcomes = await sendWithLimit(writer, count);
      const cuts = cutting();
      await writer.sendUntilAccepted();
      await testbed.settle();
      testbed.note(
        `${channel}: ${cuts} cuts; ${count} messages: ${outcomes.accepted} accepted, ${outcomes.refused} not sent, ` +
          `${outcomes.unknown} unknown; ${recorder.history.gaps.length} gaps`,
      );
      equal(outcomes.unknown, 0, 'no outcome is unknown');
      deepEqual(checkCallOrder(sentOn(testbed, channel)), [], 'positions follow the order of the calls');
      ok(outcomes.accepted > count / 2, 'most messages are published');
      await writer.lease.close();
    }
  },
};

function sentOn({ ledger }: Testbed, channel: FaultChannel): readonly SentRecord[] {
  return ledger.sent.filter((sent) => sent.channel === channel.name);
}

/** @returns a function that stops and returns the count of cuts */
function cutEvery(proxy: TcpProxy, ms: number): () => number {
  let cuts = 0;
  const timer = setInterval(() => {
    if (proxy.links.length > 0) cuts++;
    proxy.reset();
  }, ms);
  return () => {
    clearInterval(timer);
    return cuts;
  };
}

async function sendWithLimit(writer: LeaseCandidate, count: number) {
  const outcomes = { pending: 0, accepted: 0, refused: 0, unknown: 0 };
  const inFlight = new Set<Promise<void>>();
  for (let left = count; left > 0; left--) {
    while (inFlight.size >= MAX_IN_FLIGHT) await Promise.race(inFlight);
    if (!writer.lease.holds) await writer.untilHeld();
    const settled: Promise<void> = writer
      .send({ key: `key ${left % 100}` })
      .then(({ outcome }: SentRecord) => {
        outcomes[outcome]++;
        inFlight.delete(settled);
      });
    inFlight.add(settled);
  }
  await Promise.all(inFlight);
  return outcomes;
}

export const writerReplySwallowed: Scenario = {
  name: '31-writer-reply-swallowed',
  expected:
    'After a dropped reply and a reset link, each message of an exclusive writer is published once and accepted.',
  waits: 'busy',
  async run(testbed) {
    for (const channel of CHANNELS) {
      const proxy = await testbed.proxy();
      const { recorder } = await testbed.listen(channel);
      const writer = await LeaseCandidate.join(testbed, channel, {
        port: proxy.port,
        deadlineMs: LONG_DEADLINE_MS,
      });
      await writer.untilHeld();
      const sent: Promise<SentRecord>[] = [];
      for (const count of [1, 5, 50, 1, 200]) {
        await writer.sendUntilAccepted();
        const marker = `dropped with ${count} on ${channel}`;
        const dropped = proxy.dropReplyTo(marker);
        for (let left = count; left > 0; left--) sent.push(writer.send({ key: `key ${left}`, text: marker }));
        (await within('The reply is dropped', dropped)).reset();
        await Promise.all(sent);
      }
      await writer.sendUntilAccepted();
      await testbed.settle();
      const outcomes = (await Promise.all(sent)).map(({ outcome }) => outcome);
      const notAccepted = outcomes.filter((outcome) => outcome !== 'accepted');
      testbed.note(`${channel}: ${outcomes.length} messages, ${notAccepted.length} of them not accepted`);
      equal(notAccepted.length, 0, 'each message is published');
      deepEqual(checkCallOrder(sentOn(testbed, channel)), [], 'positions follow the order of the calls');
      const gaps = recorder.history.gaps.filter(({ repaired }) => !repaired);
      deepEqual(gaps, [], 'no subscriber misses a message');
    }
  },
};

export const nameTaken: Scenario = {
  name: '35-name-taken',
  expected:
    "If another client takes the name of the writer's connection, the next claim disconnects that client.",
  waits: 'busy',
  async run(testbed) {
    for (const channel of CHANNELS) {
      const proxy = await testbed.proxy();
      await testbed.listen(channel);
      const writer = await LeaseCandidate.join(testbed, channel, {
        port: proxy.port,
        deadlineMs: LONG_DEADLINE_MS,
      });
      await writer.untilHeld();
      await writer.send();
      const again = [
        () => proxy.reset(),
        async () => {
          await writer.lease.release();
          await writer.start();
        },
      ];
      for (const claim of again) {
        const other = await otherClient(testbed, `tickbus:0:${encodeURIComponent(channel.name)}`);
        await writer.sendUntilAccepted();
        await claim();
        await writer.untilHeld();
        await writer.sendUntilAccepted();
        await eventually('The other client is disconnected', () => !other.isOpen, 5_000);
        const term = writer.lease.token;
        const after = await Promise.all(Array.from({ length: 20 }, () => writer.send()));
        const hasNewTerm = writer.lease.token !== term;
        ok(
          hasNewTerm || after.every(({ outcome }) => outcome === 'accepted'),
          'the writer publishes without the other client',
        );
      }
    }
    await testbed.settle();
  },
};

async function otherClient(testbed: Testbed, name: string) {
  const { host, port } = testbed.redis;
  const client = createClient({ socket: { host, port, reconnectStrategy: false } });
  client.on('error', () => {});
  await client.connect();
  await client.sendCommand(['CLIENT', 'SETNAME', name]);
  testbed.atEnd(() => client.isOpen && client.destroy());
  return client;
}
