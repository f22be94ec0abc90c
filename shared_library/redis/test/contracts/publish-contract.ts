// Contract of publish: numbering without gaps, epochs, framing, idempotent ids.

import { setTimeout as sleep } from 'node:timers/promises';
import { EventRecorder } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import type { ChannelSpec } from '../../channel/channel.ts';
import type { Confirmation, Outgoing } from '../../transport/port.ts';
import { decodeEnvelope, type Envelope } from '../../wire/envelope.ts';
import { ORIGIN } from '../../wire/position.ts';
import { batch, type ContractHarness, listen, messagesIn, outgoing, spec } from './transport.fixture.ts';

export function describePublish(harness: ContractHarness): void {
  describe('publish', () => {
    it('numbers a batch without gaps and returns the first position and the receivers', async () => {
      const channel = spec('event');
      const { frames } = await listen(harness.subscribing, channel);
      const first = await harness.publishing.publish(channel, batch(3));
      const second = await harness.publishing.publish(channel, batch(2));
      expect(first.receivers).toBe(1);
      expect(first.first?.seq).toBe(1);
      expect(second.first).toEqual({ epoch: first.first?.epoch, seq: 4 });
      await frames.reaches(5);
      expect(frames.items.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
      expect(new Set(frames.items.map(({ epoch }) => epoch))).toEqual(new Set([first.first?.epoch]));
    });

    it('numbers batches across digit boundaries: past 9, 99 and 999', async () => {
      const channel = spec('event');
      const { frames } = await listen(harness.subscribing, channel);
      const sizes = [7, 4, 1, 88, 101, 9, 128, 128, 128, 128, 128, 128, 30];
      for (const size of sizes) await harness.publishing.publish(channel, batch(size));
      const count = sizes.reduce((sum, size) => sum + size);
      await frames.reaches(count);
      expect(frames.items.map(({ seq }) => seq)).toEqual(
        Array.from({ length: count }, (_, index) => index + 1),
      );
    });

    it('adds epoch, sequence number and server time, and leaves the other fields unchanged', async () => {
      const channel = spec('event');
      const { frames } = await listen(harness.subscribing, channel);
      const before = Date.now();
      await harness.publishing.publish(channel, [outgoing({ text: 'ünï "quoted" \\ \n 漢字 💹' })]);
      await frames.reaches(1);
      const [message] = frames.items;
      expect(message).toMatchObject({
        message_type: 'test',
        sender: 'contract',
        data: { text: 'ünï "quoted" \\ \n 漢字 💹' },
      });
      expect(message?.at).toBeGreaterThanOrEqual(before - 60_000);
      expect(message?.epoch).toBeGreaterThan(1_600_000_000_000);
    });

    it('keeps the epoch while the server remembers the channel, and begins a larger one after it forgets', async () => {
      const channel = spec('state');
      const before = await harness.publishing.publish(channel, batch(1));
      const same = await harness.publishing.publish(channel, batch(1));
      await harness.fixture.flush();
      const after = await harness.publishing.publish(channel, batch(1));
      expect(same.first?.epoch).toBe(before.first?.epoch);
      expect(after.first?.seq).toBe(1);
      expect(after.first?.epoch).toBeGreaterThan(before.first?.epoch ?? 0);
    });

    it('begins a larger epoch if the caller has seen a later position than the server remembers', async () => {
      const channel = spec('event');
      const { first } = await harness.publishing.publish(channel, batch(2));
      const epoch = first?.epoch ?? 0;
      const same = await harness.publishing.publish(channel, batch(1), undefined, { epoch, seq: 2 });
      expect(same.first).toEqual({ epoch, seq: 3 });
      const after = await harness.publishing.publish(channel, batch(1), undefined, { epoch, seq: 4 });
      expect(after.first?.epoch).toBeGreaterThan(epoch);
      expect(after.first?.seq).toBe(1);
    });

    it('numbers the messages of two publishers in one sequence', async () => {
      const channel = spec('event');
      const other = harness.fixture.link();
      await other.connect();
      const { frames } = await listen(harness.subscribing, channel);
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 ? other : harness.publishing).publish(channel, batch(5)),
        ),
      );
      await frames.reaches(100);
      expect(frames.items.map(({ seq }) => seq)).toEqual(
        Array.from({ length: 100 }, (_, index) => index + 1),
      );
    });

    it.each(['state', 'event', 'plain'] as const)(
      'sends a batch as one frame on a %s channel with batch framing; messages are numbered and stored singly',
      async (kind) => {
        const channel: ChannelSpec = { ...spec(kind, kind === 'event' ? 10 : 0), framing: 'batch' };
        const frames = new EventRecorder<readonly Envelope[]>();
        await harness.subscribing.subscribe(channel, (frame) => frames.add(messagesIn(frame)));
        const receipts = [
          await harness.publishing.publish(channel, batch(3)),
          await harness.publishing.publish(channel, batch(1)),
        ];
        await frames.reaches(2);
        expect(frames.items.map((messages) => messages.map(({ data }) => data.index))).toEqual([
          [0, 1, 2],
          [0],
        ]);
        expect(receipts.map(({ receivers }) => receivers)).toEqual([1, 1]);
        if (kind === 'plain') return;
        expect(frames.items.flat().map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
        expect(receipts.map(({ first }) => first?.seq)).toEqual([1, 4]);
        const { position, entries } = await harness.publishing.read(channel);
        const kept = entries.map(decodeEnvelope).sort((one, other) => (one.seq ?? 0) - (other.seq ?? 0));
        expect(position.seq).toBe(4);
        // Messages 1 and 4 have the same key, so a state channel keeps only message 4 of them.
        expect(kept.map(({ seq }) => seq)).toEqual(kind === 'state' ? [2, 3, 4] : [1, 2, 3, 4]);
      },
    );

    it('assigns no position on a plain channel and stores nothing', async () => {
      const channel = spec('plain');
      const { frames } = await listen(harness.subscribing, channel);
      const receipt = await harness.publishing.publish(channel, batch(2));
      await frames.reaches(2);
      expect(receipt).toEqual({ first: undefined, receivers: 1 });
      expect(frames.items.every((message) => message.seq === undefined && message.epoch === undefined)).toBe(
        true,
      );
      expect(await harness.publishing.read(channel)).toMatchObject({ position: ORIGIN, entries: [] });
    });

    it('publishes an id once, and returns the first outcome for a repeated id', async () => {
      const channel = spec('command');
      const { frames } = await listen(harness.subscribing, channel);
      const once = (id: string): Outgoing => ({
        ...outgoing({ id }),
        idempotency: { id, rememberMs: 60_000 },
      });
      const first = await harness.publishing.publish(channel, [once('a'), once('b')]);
      expect(first).toMatchObject({ first: { seq: 1 }, receivers: 1 });
      expect(first.repeated).toBeUndefined();
      const epoch = first.first?.epoch ?? 0;
      const again = await harness.publishing.publish(channel, [once('b'), once('c'), once('c'), once('d')]);
      expect(again.first).toEqual({ epoch, seq: 3 });
      expect(again.receivers).toBe(1);
      expect([...(again.repeated ?? [])]).toEqual([
        [0, { position: { epoch, seq: 2 }, receivers: 1 }],
        [2, { position: { epoch, seq: 3 }, receivers: 1 }],
      ]);
      const all = await harness.publishing.publish(channel, [once('a')]);
      expect([...(all.repeated ?? [])]).toEqual([[0, { position: { epoch, seq: 1 }, receivers: 1 }]]);
      await harness.publishing.publish(channel, [once('e')]);
      await frames.reaches(5);
      expect(frames.items.map(({ data, seq }) => [data.id, seq])).toEqual([
        ['a', 1],
        ['b', 2],
        ['c', 3],
        ['d', 4],
        ['e', 5],
      ]);
    });

    it('reports a retried command as forgotten if its first epoch has ended', async () => {
      const channel = spec('command');
      const { frames } = await listen(harness.subscribing, channel);
      const idempotency = { id: 'a', rememberMs: 60_000 };
      const { first } = await harness.publishing.publish(channel, [
        { ...outgoing({ id: 'a' }), idempotency },
      ]);
      await harness.fixture.flush();
      const retry = {
        ...outgoing({ id: 'a' }),
        idempotency: { ...idempotency, firstEpoch: first?.epoch ?? 0 },
      };
      const { repeated } = await harness.publishing.publish(channel, [retry]);
      expect([...(repeated ?? [])]).toEqual([[0, 'forgotten']]);
      await harness.publishing.publish(channel, [outgoing({ id: 'b' })]);
      await frames.reaches(2);
      expect(frames.items.map(({ data, seq }) => [data.id, seq])).toEqual([
        ['a', 1],
        ['b', 1],
      ]);
    });

    it('remembers an id for `rememberMs`', async () => {
      const channel = spec('command');
      const message = { ...outgoing({}), idempotency: { id: 'short', rememberMs: 1 } };
      const { first } = await harness.publishing.publish(channel, [message]);
      expect(first?.seq).toBe(1);
      await sleep(20);
      const again = await harness.publishing.publish(channel, [message]);
      expect(again.repeated).toBeUndefined();
      expect(again.first?.seq).toBe(2);
    });

    it('counts a batch as published if enough replicas have it; with too few it is delivered, and unknown', async () => {
      const { replicas = 0 } = harness.fixture;
      const channel = spec('event');
      const { frames } = await listen(harness.subscribing, channel);
      const publish = (confirmation: Confirmation) =>
        harness.publishing.publish(channel, batch(2), undefined, undefined, confirmation);
      if (replicas > 0) {
        const receipt = await publish({ replicas: Math.min(replicas, 2), withinMs: 10_000 });
        expect(receipt).toMatchObject({ first: { seq: 1 }, receivers: 1 });
      }
      if (replicas !== Number.POSITIVE_INFINITY)
        await expect(publish({ replicas: replicas + 1, withinMs: 100 })).rejects.toMatchObject({
          code: 'TICKBUS_OUTCOME_UNKNOWN',
          retryable: false,
          message: expect.stringMatching(new RegExp(`, but ${replicas} of .* confirmed it within 100 ms`)),
        });
      const { first } = await harness.publishing.publish(channel, batch(1));
      await frames.reaches(first?.seq ?? 0);
      expect(frames.items.map(({ seq }) => seq)).toEqual(frames.items.map((_, index) => index + 1));
      expect(first?.seq).toBeGreaterThan(2);
    });

    it('accepts a batch of 256 messages and a message of 250 KiB', async () => {
      const channel = spec('event');
      const { frames } = await listen(harness.subscribing, channel);
      await harness.publishing.publish(channel, batch(256));
      await harness.publishing.publish(channel, [outgoing({ text: 'x'.repeat(250 * 1024) })]);
      await frames.reaches(257);
      expect(String(frames.items[256]?.data.text).length).toBe(250 * 1024);
    });
  });
}
