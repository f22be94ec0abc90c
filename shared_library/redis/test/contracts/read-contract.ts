// Contract of read and head: the position, the stored messages of each kind, and the ordering guarantee.

import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../../wire/envelope.ts';
import { ORIGIN, type Position } from '../../wire/position.ts';
import { batch, type ContractHarness, listen, outgoing, spec } from './transport.fixture.ts';

export function describeRead(harness: ContractHarness): void {
  describe('read', () => {
    it('returns ORIGIN and no entries on an unused channel', async () => {
      for (const kind of ['state', 'event', 'command'] as const) {
        expect(await harness.subscribing.read(spec(kind, kind === 'event' ? 10 : 0))).toMatchObject({
          position: ORIGIN,
          entries: [],
        });
      }
    });

    it('returns a server time that never goes back from one message or read to the next', async () => {
      const channel = spec('event');
      const { frames } = await listen(harness.subscribing, channel);
      const { at: before } = await harness.subscribing.read(channel);
      await harness.publishing.publish(channel, batch(1));
      await frames.reaches(1);
      const { at: after } = await harness.subscribing.read(channel);
      expect(frames.items[0]?.at).toBeGreaterThanOrEqual(Math.floor(before));
      expect(after).toBeGreaterThanOrEqual(frames.items[0]?.at ?? Number.POSITIVE_INFINITY);
    });

    it('returns the last value of each key of a state channel, in order of publication', async () => {
      const channel = spec('state');
      const receipt = await harness.publishing.publish(channel, [
        outgoing({ n: 1 }, 'a'),
        outgoing({ n: 2 }, 'b'),
        outgoing({ n: 3 }, 'a'),
        outgoing({ n: 4 }, 'c'),
      ]);
      const { position, entries } = await harness.subscribing.read(channel);
      expect(position).toEqual({ epoch: receipt.first?.epoch, seq: 4 });
      expect(
        entries
          .map(decodeEnvelope)
          .map(({ data, seq }) => [data.n, seq])
          .sort(byNumber),
      ).toEqual([
        [2, 2],
        [3, 3],
        [4, 4],
      ]);
    });

    it('returns only entries after a position of the same epoch, and all entries for another epoch', async () => {
      for (const channel of [spec('state'), spec('event', 10)]) {
        const { first } = await harness.publishing.publish(channel, [
          outgoing({ n: 1 }, 'a'),
          outgoing({ n: 2 }, 'b'),
          outgoing({ n: 3 }, 'c'),
        ]);
        const epoch = first?.epoch ?? 0;
        const numbers = async (since: { epoch: number; seq: number }) =>
          (await harness.subscribing.read(channel, since)).entries
            .map((frame) => decodeEnvelope(frame).seq ?? 0)
            .sort((a, b) => a - b);
        expect(await numbers({ epoch, seq: 1 })).toEqual([2, 3]);
        expect(await numbers({ epoch, seq: 3 })).toEqual([]);
        expect(await numbers({ epoch: epoch - 1, seq: 2 })).toEqual([1, 2, 3]);
      }
    });

    it('returns the last values of the wanted keys of a large channel', async () => {
      const channel = spec('state');
      const { first } = await harness.publishing.publish(channel, batch(600));
      const wanted = async (keys: readonly string[], seq = 0) => {
        const since = { epoch: first?.epoch ?? 0, seq };
        const { entries } = await harness.subscribing.read(channel, since, { keys: new Set(keys) });
        return entries.map((frame) => decodeEnvelope(frame).data.index).sort();
      };
      expect(await wanted(['key-7', 'key-599', 'no such key'])).toEqual([599, 7]);
      expect(await wanted(['key-7', 'key-599'], 8)).toEqual([599]);
      expect(await wanted([])).toEqual([]);
      expect(await wanted(Array.from({ length: 1_500 }, (_, index) => `key-${index}`))).toHaveLength(600);
    });

    it('misses no value of a large channel that changes during the read, and returns none above the position', async () => {
      const channel = spec('state');
      const { frames } = await listen(harness.subscribing, channel);
      for (let key = 0; key < 3_000; key += 500)
        await harness.publishing.publish(
          channel,
          batch(500).map(({ json }, index) => ({ json, key: `${key + index}` })),
        );
      for (const keys of [undefined, new Set(Array.from({ length: 3_000 }, (_, index) => String(index)))]) {
        let isReading = true;
        const publishing = (async () => {
          for (let round = 0; isReading || round < 10; round++)
            await harness.publishing.publish(channel, [outgoing({ round }, String((round * 37) % 3_000))]);
        })();
        const { position, entries } = await harness.subscribing.read(channel, undefined, { keys });
        isReading = false;
        await publishing;
        const { position: end } = await harness.subscribing.head(channel);
        const kept = entries.map((frame) => decodeEnvelope(frame).seq ?? 0);
        expect(kept.filter((seq) => seq > position.seq)).toEqual([]);
        const live = frames.items.map(({ seq }) => seq ?? 0).filter((seq) => seq > position.seq);
        expect(live).toEqual(
          Array.from({ length: end.seq - position.seq }, (_, index) => position.seq + 1 + index),
        );
        const { entries: newest } = await harness.subscribing.read(channel);
        const known = new Set([...kept, ...live]);
        expect(newest.filter((frame) => !known.has(decodeEnvelope(frame).seq ?? 0))).toEqual([]);
      }
    });

    it('returns a long history in order', async () => {
      const channel = spec('event', 2_000);
      let epoch = 0;
      for (let sent = 0; sent < 2_500; sent += 250)
        epoch = (await harness.publishing.publish(channel, batch(250))).first?.epoch ?? 0;
      const seqs = async (since?: Position) =>
        (await harness.subscribing.read(channel, since)).entries.map((frame) => decodeEnvelope(frame).seq);
      const from = (first: number) => Array.from({ length: 2_501 - first }, (_, index) => first + index);
      expect(await seqs()).toEqual(from(501));
      expect(await seqs({ epoch, seq: 900 })).toEqual(from(901));
    });

    it('rejects a read that was cancelled', async () => {
      const reading = harness.subscribing.read(spec('state'), undefined, { signal: AbortSignal.abort() });
      await expect(reading).rejects.toMatchObject({ code: 'TICKBUS_CLOSED' });
    });

    it('returns as much history as the channel defines, and none of a command channel', async () => {
      const event = spec('event', 3);
      await harness.publishing.publish(event, batch(5));
      const { position, entries } = await harness.subscribing.read(event);
      expect(position.seq).toBe(5);
      expect(entries.map((frame) => decodeEnvelope(frame).seq)).toEqual([3, 4, 5]);

      const command = spec('command');
      await harness.publishing.publish(command, batch(2));
      expect((await harness.subscribing.read(command)).entries).toEqual([]);
      expect((await harness.subscribing.read(command)).position.seq).toBe(2);
    });

    it('head returns the position and a server time that never goes back', async () => {
      const channel = spec('state');
      expect(await harness.subscribing.head(channel)).toEqual({ position: ORIGIN, at: expect.any(Number) });
      const { at: before } = await harness.subscribing.read(channel);
      const { first } = await harness.publishing.publish(channel, batch(3));
      const { position, at } = await harness.subscribing.head(channel);
      expect(position).toEqual({ epoch: first?.epoch, seq: 3 });
      expect(at).toBeGreaterThanOrEqual(before);
      expect((await harness.subscribing.read(channel)).at).toBeGreaterThanOrEqual(at);
    });

    it('read and head return the lease token while the lease is held', async () => {
      const channel = spec('state');
      const leases = async () => [
        (await harness.subscribing.read(channel)).lease,
        (await harness.subscribing.head(channel)).lease,
      ];
      expect(await leases()).toEqual([undefined, undefined]);
      const lease = harness.publishing.lease(channel);
      await lease.connect();
      let attempt = await lease.acquire(20);
      // The server holds the candidate off, because it may have forgotten a holder.
      expect([attempt.state, ...(await leases())]).toEqual(['holding_off', undefined, undefined]);
      while (attempt.state !== 'held') attempt = await lease.acquire(60_000);
      expect(await leases()).toEqual([attempt.token, attempt.token]);
      await lease.release(attempt.token);
      expect(await leases()).toEqual([undefined, undefined]);
    });

    it('head replies after every message up to its position has arrived', async () => {
      const channel = spec('event');
      const { frames } = await listen(harness.subscribing, channel);
      for (let round = 1; round <= 50; round++) {
        harness.publishing.publish(channel, batch(7)).catch(() => {});
        const { position } = await harness.subscribing.head(channel);
        expect(frames.items.at(-1)?.seq ?? 0).toBeGreaterThanOrEqual(position.seq);
      }
      await harness.publishing.publish(channel, batch(1));
      expect((await harness.subscribing.head(channel)).position.seq).toBe(351);
      expect(frames.items.at(-1)?.seq).toBe(351);
    });

    it('read replies after every message published before it has arrived', async () => {
      const channel = spec('event');
      const { frames } = await listen(harness.subscribing, channel);
      for (let round = 1; round <= 50; round++) {
        await harness.publishing.publish(channel, batch(7));
        const { position } = await harness.subscribing.read(channel, ORIGIN);
        expect(frames.items.at(-1)?.seq).toBe(position.seq);
        expect(position.seq).toBe(round * 7);
      }
    });
  });
}

function byNumber(a: unknown[], b: unknown[]): number {
  return Number(a[0]) - Number(b[0]);
}
