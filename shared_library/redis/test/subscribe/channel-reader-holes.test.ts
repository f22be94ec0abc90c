// Gaps in a channel: repair from history, reported losses, and detection of a lost last message.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { ALERTS, COMMANDS, FILLS, frameOf, noteEnvelope, PRICES } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { dropNotes, positionOf, subscribedTo, tickText } from './channel-reader.fixture.ts';

describe('a gap', () => {
  it('in a channel with history is repaired in order and reported as repaired', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    dropNotes(harness, 2, 3);
    await harness.publishNotes(FILLS, 1, 2, 3, 4, 5);
    await eventLoopTurns();
    expect(received).toEqual(['1', '2', '3', '4', '5']);
    const epoch = harness.subscriber.status(FILLS)?.position?.epoch;
    expect(harness.gaps).toEqual([
      { type: 'gap', channel: 'FILLS', cause: 'loss', epoch, from: 2, to: 3, lost: 0, repaired: true },
    ]);
    expect(harness.subscriber.status(FILLS)).toMatchObject({ gaps: 1, lost: 0, repaired: 2 });
  });

  it.each([ALERTS, COMMANDS])(
    'in %s, which has no history, is reported with its exact range',
    async (channel) => {
      const { harness, received } = await subscribedTo(channel);
      dropNotes(harness, 2, 3);
      await harness.publishNotes(channel, 1, 2, 3, 4, 5);
      await eventLoopTurns();
      expect(received).toEqual(['1', '4', '5']);
      const epoch = harness.subscriber.status(channel)?.position?.epoch;
      expect(harness.gaps).toEqual([
        {
          type: 'gap',
          channel: channel.name,
          cause: 'loss',
          epoch,
          from: 2,
          to: 3,
          lost: 2,
          repaired: false,
        },
      ]);
      expect(harness.subscriber.status(channel)).toMatchObject({ gaps: 1, lost: 2, repaired: 0 });
    },
  );

  it('longer than the history is reported as lost; the rest is delivered and not counted as repaired', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    const all = Array.from({ length: 15 }, (_, n) => n + 1);
    dropNotes(harness, ...all.slice(1, 14));
    await harness.publishNotes(FILLS, ...all);
    await eventLoopTurns();
    // The history keeps the last ten messages, 6 to 15, so messages 2 to 5 are lost.
    expect(harness.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 5, lost: 4, repaired: false }]);
    expect(received).toEqual(['1', ...all.slice(5, 14).map((n) => `${n} snapshot`), '15']);
    expect(harness.subscriber.status(FILLS)).toMatchObject({ lost: 4, repaired: 0 });
  });

  it('in a state channel redelivers the last values', async () => {
    const harness = new PubSubHarness();
    const received: string[] = [];
    harness.subscriber.subscribe(PRICES, (message) => received.push(tickText(message)));
    await harness.subscriber.startListening();
    await eventLoopTurns();
    harness.link.drops = ({ data }) => data.price === 2 || data.price === 3;
    await harness.publishPrices(['A', 1], ['B', 2], ['B', 3], ['A', 4]);
    await eventLoopTurns();
    expect(received).toEqual(['A1', 'B3 snapshot', 'A4']);
    expect(harness.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 2, lost: 1, repaired: false }]);
  });

  it('is reported separately for each missing range', async () => {
    const { harness, received } = await subscribedTo(ALERTS);
    dropNotes(harness, 2, 5);
    for (let n = 1; n <= 6; n++) {
      await harness.publishNotes(ALERTS, n);
      await eventLoopTurns();
    }
    expect(received).toEqual(['1', '3', '4', '6']);
    expect(harness.gaps.map(({ from, to, lost }) => [from, to, lost])).toEqual([
      [2, 2, 1],
      [5, 5, 1],
    ]);
  });

  it('is not caused by a repeated or late message, which is not delivered again', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1, 2);
    const { epoch } = positionOf(harness);
    for (const seq of [1, 2]) harness.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch, seq })));
    harness.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch: epoch - 1, seq: 7 })));
    await eventLoopTurns();
    expect(received).toEqual(['1', '2']);
    expect(harness.gaps).toEqual([]);
  });
});

describe('a lost last message', () => {
  it('is found by the head check within a second', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    dropNotes(harness, 2);
    await harness.publishNotes(FILLS, 1, 2);
    expect(received).toEqual(['1']);
    await harness.clock.advance(1_000);
    await eventLoopTurns();
    expect(received).toEqual(['1', '2']);
    expect(harness.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 2, lost: 0, repaired: true }]);
  });

  it('is found by the head check if it is the first of the channel', async () => {
    const { harness, received } = await subscribedTo(ALERTS);
    dropNotes(harness, 1);
    await harness.publishNotes(ALERTS, 1);
    await harness.clock.advance(1_000);
    await eventLoopTurns();
    expect(received).toEqual([]);
    expect(harness.gaps).toMatchObject([{ cause: 'loss', from: 1, to: 1, lost: 1, repaired: false }]);
  });

  it('is checked for every second with a head read and no status event', async () => {
    const { harness } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    const { statuses, link } = harness;
    const reported = statuses.length;
    const [reads, heads] = [link.reads.length, link.heads];
    await harness.clock.advance(5_000);
    expect(link.heads).toBe(heads + 5);
    expect(link.reads).toHaveLength(reads);
    expect(statuses).toHaveLength(reported);
  });

  it('is found after a failed head check', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    const head = harness.link.head;
    harness.link.head = () => Promise.reject({ code: 'TICKBUS_SERVER_ERROR' });
    await harness.clock.advance(1_000);
    harness.link.head = head;
    dropNotes(harness, 1);
    await harness.publishNotes(FILLS, 1);
    await harness.clock.advance(1_000);
    await eventLoopTurns();
    expect(received).toEqual(['1']);
  });
});
