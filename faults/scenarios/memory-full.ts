// A server whose memory is full in the middle of publishing, and not any more a moment later.

import { ok } from 'node:assert/strict';
import type { Sent } from '@tickbus/fault-kit/records';
import type { RedisPublisher } from 'tickbus';
import { Candidate } from '../candidate.ts';
import { FILLS, LEASED_FILLS, LEASED_TICKS, type NoteChannel, TICKS } from '../channels.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { pass } from '../wait.ts';

/** Below what an empty server uses, so that it refuses every write. */
const FULL = '1mb';
const BATCH = 50;
const TEXT = 'x'.repeat(1_000);
const KEYS = 20;

export const memoryFull: Scenario = {
  name: '34-memory-full',
  expected:
    'Memory is full in the middle of batches: what is refused is rejected, what is published is delivered, holes are reported.',
  waits: 'busy',
  shortened: '10 times instead of 60',
  async run(stage) {
    const shared = stage.publisher();
    const candidates = [await Candidate.join(stage, LEASED_FILLS), await Candidate.join(stage, LEASED_TICKS)];
    for (const candidate of candidates) await candidate.held();
    const writers = [
      { channel: FILLS, publisher: shared },
      { channel: TICKS, publisher: shared },
      ...candidates,
    ];
    const listeners = await Promise.all(writers.map(({ channel }) => stage.listen(channel)));
    let isOver = false;
    const sending = writers.map(({ channel, publisher }) =>
      sendUntil(stage, publisher, channel, () => isOver),
    );
    for (let times = stage.scaled(60, 10); times > 0; times--) {
      await pass(stage.random.int(0, 60));
      await stage.command('CONFIG', 'SET', 'maxmemory', FULL);
      await pass(stage.random.int(0, 60));
      await stage.command('CONFIG', 'SET', 'maxmemory', '0');
    }
    isOver = true;
    for (const [index, outcomes] of (await Promise.all(sending)).entries()) {
      const { channel, publisher } = writers[index] as (typeof writers)[number];
      const of = (outcome: Sent['outcome']) => outcomes.filter((one) => one.outcome === outcome).length;
      stage.note(
        `${channel}: ${of('accepted')} accepted, ${of('refused')} refused, ${of('unknown')} unknown`,
      );
      ok(of('accepted') > 0 && of('refused') > 0, 'some are published and some are refused');
      ok(of('unknown') === 0, `a refusal is known to be one; ${of('unknown')} on ${channel} are unknown`);
      await stage.sendUntilAccepted(publisher, channel);
    }
    await stage.settle();
    for (const { channel, witness } of listeners)
      stage.note(
        `${channel}: ${witness.testimony.gaps.filter(({ repaired }) => !repaired).length} holes reported`,
      );
  },
};

/** Batches follow each other without waiting for replies; the heap of what is under way is bounded by the pause. */
async function sendUntil(
  stage: Stage,
  publisher: RedisPublisher,
  channel: NoteChannel,
  isOver: () => boolean,
): Promise<Sent[]> {
  const outcomes: Promise<Sent>[] = [];
  while (!isOver()) {
    for (let index = 0; index < BATCH; index++)
      outcomes.push(stage.send(publisher, channel, { key: `key ${index % KEYS}`, text: TEXT }));
    await pass(stage.random.int(1, 15));
  }
  return Promise.all(outcomes);
}
