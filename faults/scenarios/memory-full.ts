// A server whose memory is full for short times while messages are published.

import { ok } from 'node:assert/strict';
import type { SentRecord } from '@tickbus/fault-kit/records';
import type { RedisPublisher } from 'tickbus';
import { type FaultChannel, FILLS, LEASED_FILLS, LEASED_TICKS, TICKS } from '../fault-channels.ts';
import { LeaseCandidate } from '../lease-candidate.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';

/** A memory limit below the need of an empty server, so that the server rejects every write. */
const FULL = '1mb';
const BATCH = 50;
const TEXT = 'x'.repeat(1_000);
const KEYS = 20;

export const memoryFull: Scenario = {
  name: '34-memory-full',
  expected:
    'If memory is full during batches, refused publishes reject, accepted ones are delivered, and gaps are reported.',
  waits: 'busy',
  shortened: '10 times instead of 60',
  async run(testbed) {
    const shared = testbed.publisher();
    const candidates = [
      await LeaseCandidate.join(testbed, LEASED_FILLS),
      await LeaseCandidate.join(testbed, LEASED_TICKS),
    ];
    for (const candidate of candidates) await candidate.untilHeld();
    const writers = [
      { channel: FILLS, publisher: shared },
      { channel: TICKS, publisher: shared },
      ...candidates,
    ];
    const listeners = await Promise.all(writers.map(({ channel }) => testbed.listen(channel)));
    let isStopped = false;
    const sending = writers.map(({ channel, publisher }) =>
      sendUntil(testbed, publisher, channel, () => isStopped),
    );
    for (let times = testbed.scaled(60, 10); times > 0; times--) {
      await delay(testbed.random.int(0, 60));
      await testbed.command('CONFIG', 'SET', 'maxmemory', FULL);
      await delay(testbed.random.int(0, 60));
      await testbed.command('CONFIG', 'SET', 'maxmemory', '0');
    }
    isStopped = true;
    for (const [index, outcomes] of (await Promise.all(sending)).entries()) {
      const { channel, publisher } = writers[index] as (typeof writers)[number];
      const of = (outcome: SentRecord['outcome']) => outcomes.filter((one) => one.outcome === outcome).length;
      testbed.note(
        `${channel}: ${of('accepted')} accepted, ${of('refused')} refused, ${of('unknown')} unknown`,
      );
      ok(of('accepted') > 0 && of('refused') > 0, 'some messages are published and some are refused');
      ok(of('unknown') === 0, `no outcome is unknown; ${of('unknown')} on ${channel} are`);
      await testbed.sendUntilAccepted(publisher, channel);
    }
    await testbed.settle();
    for (const { channel, recorder } of listeners)
      testbed.note(
        `${channel}: ${recorder.history.gaps.filter(({ repaired }) => !repaired).length} gaps reported`,
      );
  },
};

/** Sends batches without waiting for replies. The pauses limit the memory of the publishes in flight. */
async function sendUntil(
  testbed: Testbed,
  publisher: RedisPublisher,
  channel: FaultChannel,
  isStopped: () => boolean,
): Promise<SentRecord[]> {
  const outcomes: Promise<SentRecord>[] = [];
  while (!isStopped()) {
    for (let index = 0; index < BATCH; index++)
      outcomes.push(testbed.send(publisher, channel, { key: `key ${index % KEYS}`, text: TEXT }));
    await delay(testbed.random.int(1, 15));
  }
  return Promise.all(outcomes);
}
