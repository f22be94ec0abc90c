// The link of an exclusive writer, which holds the lease of its channel: what became of each message is known as soon as it is back.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { SentRecord } from '@tickbus/fault-kit/records';
import { checkCallOrder } from '@tickbus/fault-kit/writers';
import { createClient } from 'redis';
import { LEASED_FILLS, LEASED_TICKS, type NoteChannel } from '../fault-channels.ts';
import { LeaseCandidate } from '../lease-candidate.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { eventually, within } from '../wait.ts';

const CHANNELS = [LEASED_FILLS, LEASED_TICKS];
const CUT_EVERY_MS = 50;
const MAX_OUTSTANDING = 500;
/** So long that waiting for the link is no failure. */
const PATIENT_MS = 10_000;

export const writerCut: Scenario = {
  name: '30-writer-cut',
  expected:
    "An exclusive writer's link is cut every 50 ms: no outcome is unknown, and nothing is lost, repeated or out of order.",
  shortened: '20,000 messages instead of 100,000',
  async run(testbed) {
    const count = testbed.scaled(50_000, 10_000);
    for (const channel of CHANNELS) {
      const address = await testbed.proxy();
      const { recorder } = await testbed.listen(channel);
      const writer = await LeaseCandidate.join(testbed, channel, {
        port: address.port,
        deadlineMs: PATIENT_MS,
      });
      await writer.untilHeld();
      const cutting = cutEvery(address, CUT_EVERY_MS);
      const outcomes = await sendBounded(writer, count);
      const cuts = cutting();
      await writer.sendUntilAccepted();
      await testbed.settle();
      testbed.note(
        `${channel}: ${cuts} cuts; ${count} messages: ${outcomes.accepted} accepted, ${outcomes.refused} rejected as not sent, ` +
          `${outcomes.unknown} unknown; ${recorder.history.gaps.length} gaps`,
      );
      equal(outcomes.unknown, 0, 'no outcome is unknown');
      deepEqual(checkCallOrder(sentOn(testbed, channel)), [], 'the order of the calls is kept');
      ok(outcomes.accepted > count / 2, 'most messages are published');
      await writer.lease.close();
    }
  },
};

function sentOn({ ledger }: Testbed, channel: NoteChannel): readonly SentRecord[] {
  return ledger.sent.filter((sent) => sent.channel === channel.name);
}

/** @returns a function that stops, and says how often it was cut */
function cutEvery(address: TcpProxy, ms: number): () => number {
  let cuts = 0;
  const timer = setInterval(() => {
    if (address.links.length > 0) cuts++;
    address.reset();
  }, ms);
  return () => {
    clearInterval(timer);
    return cuts;
  };
}

async function sendBounded(writer: LeaseCandidate, count: number) {
  const outcomes = { pending: 0, accepted: 0, refused: 0, unknown: 0 };
  const outstanding = new Set<Promise<void>>();
  for (let left = count; left > 0; left--) {
    while (outstanding.size >= MAX_OUTSTANDING) await Promise.race(outstanding);
    if (!writer.lease.holds) await writer.untilHeld();
    const settled: Promise<void> = writer
      .send({ key: `key ${left % 100}` })
      .then(({ outcome }: SentRecord) => {
        outcomes[outcome]++;
        outstanding.delete(settled);
      });
    outstanding.add(settled);
  }
  await Promise.all(outstanding);
  return outcomes;
}

export const writerReplySwallowed: Scenario = {
  name: '31-writer-reply-swallowed',
  expected:
    'The reply to what an exclusive writer published is swallowed and the link reset: published once, and known to be.',
  waits: 'busy',
  async run(testbed) {
    for (const channel of CHANNELS) {
      const address = await testbed.proxy();
      const { recorder } = await testbed.listen(channel);
      const writer = await LeaseCandidate.join(testbed, channel, {
        port: address.port,
        deadlineMs: PATIENT_MS,
      });
      await writer.untilHeld();
      const sent: Promise<SentRecord>[] = [];
      for (const count of [1, 5, 50, 1, 200]) {
        await writer.sendUntilAccepted();
        const marker = `swallowed with ${count} on ${channel}`;
        const swallowed = address.dropReplyTo(marker);
        for (let left = count; left > 0; left--) sent.push(writer.send({ key: `key ${left}`, text: marker }));
        (await within('The reply is swallowed', swallowed)).reset();
        await Promise.all(sent);
      }
      await writer.sendUntilAccepted();
      await testbed.settle();
      const outcomes = (await Promise.all(sent)).map(({ outcome }) => outcome);
      const unsure = outcomes.filter((outcome) => outcome !== 'accepted');
      testbed.note(`${channel}: ${outcomes.length} messages, ${unsure.length} of them not accepted`);
      equal(unsure.length, 0, 'each message is published');
      deepEqual(checkCallOrder(sentOn(testbed, channel)), [], 'the order of the calls is kept');
      const gaps = recorder.history.gaps.filter(({ repaired }) => !repaired);
      deepEqual(gaps, [], 'no subscriber misses anything');
    }
  },
};

export const nameTaken: Scenario = {
  name: '35-name-taken',
  expected:
    "A foreign client takes the name of the writer's connection: the next claim disconnects it, and publishing goes on.",
  waits: 'busy',
  async run(testbed) {
    for (const channel of CHANNELS) {
      const address = await testbed.proxy();
      await testbed.listen(channel);
      const writer = await LeaseCandidate.join(testbed, channel, {
        port: address.port,
        deadlineMs: PATIENT_MS,
      });
      await writer.untilHeld();
      await writer.send();
      const again = [
        () => address.reset(),
        async () => {
          await writer.lease.release();
          await writer.start();
        },
      ];
      for (const claim of again) {
        const foreign = await foreignClient(testbed, `tickbus:0:${encodeURIComponent(channel.name)}`);
        await writer.sendUntilAccepted();
        await claim();
        await writer.untilHeld();
        await writer.sendUntilAccepted();
        await eventually('The foreign client is disconnected', () => !foreign.isOpen, 5_000);
        const term = writer.lease.token;
        const after = await Promise.all(Array.from({ length: 20 }, () => writer.send()));
        const isBusyMachine = writer.lease.token !== term;
        ok(
          isBusyMachine || after.every(({ outcome }) => outcome === 'accepted'),
          'the writer goes on without it',
        );
      }
    }
    await testbed.settle();
  },
};

async function foreignClient(testbed: Testbed, name: string) {
  const { host, port } = testbed.redis;
  const client = createClient({ socket: { host, port, reconnectStrategy: false } });
  client.on('error', () => {});
  await client.connect();
  await client.sendCommand(['CLIENT', 'SETNAME', name]);
  testbed.atEnd(() => client.isOpen && client.destroy());
  return client;
}
