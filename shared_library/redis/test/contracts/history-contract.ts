// Contract of histories: what the server keeps of a channel and of each key, and how it is read backwards.

import { describe, expect, it } from 'vitest';
import type { ChannelSpec } from '../../channel/channel.ts';
import { partitionSpecs } from '../../channel/partition-specs.ts';
import type { HistoryPage, HistoryQuery } from '../../transport/history-port.ts';
import { decodeEnvelope } from '../../wire/envelope.ts';
import { ORIGIN } from '../../wire/position.ts';
import { acquireHeld, type ContractHarness, listen, outgoing, spec } from './transport.fixture.ts';

const keyed = (historyPerKey: number, history = 100): ChannelSpec => ({
  ...spec('event', history),
  historyPerKey,
});
/** The numbers `from` to `to`, as messages of one key. */
const messages = (key: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => outgoing({ n: from + index }, key));
const seqsOf = ({ entries }: HistoryPage) => entries.map(({ position }) => position.seq);

export function describeHistory(harness: ContractHarness): void {
  const read = (channel: ChannelSpec, query: Partial<HistoryQuery> = {}) =>
    harness.subscribing.readHistory(channel, { count: 1_000, ...query });
  const publish = (...args: Parameters<ContractHarness['publishing']['publish']>) =>
    harness.publishing.publish(...args);

  describe('readHistory', () => {
    it('returns ORIGIN and no entries on an unused channel', async () => {
      for (const key of [undefined, 'a'])
        expect(await read(keyed(3), { key })).toEqual({
          position: ORIGIN,
          partitions: undefined,
          isForgotten: false,
          entries: [],
          extent: 'end',
        });
    });

    it('returns the messages of a channel newest first, with their positions', async () => {
      const channel = spec('event', 3);
      const { first } = await publish(channel, messages('a', 1, 5));
      const page = await read(channel);
      expect(page).toMatchObject({ position: { epoch: first?.epoch, seq: 5 }, extent: 'end' });
      expect(page.entries.map(({ position, frame }) => [position, decodeEnvelope(frame).data.n])).toEqual(
        [5, 4, 3].map((n) => [{ epoch: first?.epoch, seq: n }, n]),
      );
      expect(page.entries.map(({ frame }) => decodeEnvelope(frame).seq)).toEqual([5, 4, 3]);
    });

    it.each(['shared', 'exclusive'])(
      'a %s writer keeps the last messages of each key, and one more',
      async (writer) => {
        const channel = keyed(3);
        let send = (batch: ReturnType<typeof messages>): Promise<unknown> => publish(channel, batch);
        if (writer === 'exclusive') {
          const lease = harness.publishing.lease(channel, 0);
          await lease.connect();
          const { writer: own, token } = await acquireHeld(lease);
          send = (batch) => own?.publish(batch) ?? publish(channel, batch, token);
        }
        await send([...messages('a', 1, 2), ...messages('b', 3, 3), ...messages('a', 4, 6)]);
        for (const message of messages('c', 7, 20)) await send([message]);
        await send([{ json: messages('', 1, 1)[0]?.json ?? '' }]);
        expect(seqsOf(await read(channel, { key: 'a' }))).toEqual([6, 5, 4, 2]);
        expect(seqsOf(await read(channel, { key: 'b' }))).toEqual([3]);
        expect(seqsOf(await read(channel, { key: 'c' }))).toEqual([20, 19, 18, 17]);
        expect(seqsOf(await read(channel, { key: '' }))).toEqual([]);
        expect(seqsOf(await read(channel))).toEqual(Array.from({ length: 21 }, (_, index) => 21 - index));
        expect((await harness.subscribing.read(channel)).entries).toHaveLength(21);
      },
    );

    it('reads in pages, and stops at a position', async () => {
      const channel = keyed(200, 10);
      const { first } = await publish(channel, messages('a', 1, 100));
      const at = (seq: number) => ({ epoch: first?.epoch ?? 0, seq });
      const key = 'a';
      expect(await read(channel, { key, count: 0 })).toMatchObject({
        position: at(100),
        entries: [],
        extent: 'more',
      });
      const page = await read(channel, { key, count: 3, before: at(51) });
      expect([seqsOf(page), page.extent]).toEqual([[50, 49, 48], 'more']);
      const covered = await read(channel, { key, before: at(51), after: at(47) });
      expect([seqsOf(covered), covered.extent]).toEqual([[50, 49, 48], 'covered']);
      const end = await read(channel, { key, before: at(3) });
      expect([seqsOf(end), end.extent]).toEqual([[2, 1], 'end']);
      // The history of the channel has the last ten only, so it does not cover this position.
      const uncovered = await read(channel, { after: at(50) });
      expect([seqsOf(uncovered).length, uncovered.extent]).toEqual([10, 'end']);
      const above = await read(channel, { key, after: at(1_000) });
      expect([seqsOf(above), above.extent]).toEqual([[], 'covered']);
    });

    it('returns large messages in several pages', async () => {
      const channel = keyed(30, 30);
      for (let n = 1; n <= 20; n++) await publish(channel, [outgoing({ n, text: 'x'.repeat(200_000) }, 'a')]);
      const seqs: number[] = [];
      let pages = 0;
      for (let page = await read(channel, { key: 'a' }); ; pages++) {
        seqs.push(...seqsOf(page));
        const before = page.entries.at(-1)?.position;
        if (page.extent === 'end') break;
        page = await read(channel, { key: 'a', before });
      }
      expect(seqs).toEqual(Array.from({ length: 20 }, (_, index) => 20 - index));
      expect(pages).toBeLessThan(20);
    });

    it('keeps the histories of the keys that were published on last', async () => {
      // Of 5,000,000 messages in all, two keys can have this many.
      const channel = keyed(2_000_000);
      for (const [index, key] of ['a', 'b', 'a', 'c', 'a', 'd'].entries())
        await publish(channel, messages(key, index, index));
      const lengths = async () =>
        Promise.all([...'abcd'].map(async (key) => seqsOf(await read(channel, { key })).length));
      expect((await lengths()).filter((length) => length > 0)).toHaveLength(2);
      expect((await lengths()).slice(-1)).toEqual([1]);
      const lease = harness.publishing.lease(channel, 0);
      await lease.connect();
      const { writer, token } = await acquireHeld(lease);
      for (const key of [...'xyz']) {
        const batch = messages(key, 1, 3);
        await (writer?.publish(batch) ?? publish(channel, batch, token));
      }
      expect(await lengths()).toEqual([0, 0, 0, 0]);
      expect(seqsOf(await read(channel, { key: 'x' }))).toEqual([]);
      expect(seqsOf(await read(channel, { key: 'z' }))).toHaveLength(3);
    });

    it('keeps histories in a new epoch, and forgets them with the memory of the server', async () => {
      const channel = keyed(10);
      const { first } = await publish(channel, messages('a', 1, 2));
      const { position } = await harness.subscribing.head(channel);
      const known = { epoch: position.epoch, seq: 100 };
      const { first: next } = await publish(channel, messages('a', 3, 3), undefined, known);
      expect(next?.epoch).toBeGreaterThan(first?.epoch ?? 0);
      const kept = await read(channel, { key: 'a' });
      expect(kept.entries.map((entry) => entry.position)).toEqual([
        { epoch: next?.epoch, seq: 1 },
        { epoch: first?.epoch, seq: 2 },
        { epoch: first?.epoch, seq: 1 },
      ]);
      const ofFirst = await read(channel, { key: 'a', after: { epoch: first?.epoch ?? 0, seq: 1 } });
      expect([seqsOf(ofFirst), ofFirst.extent]).toEqual([[1, 2], 'covered']);
      await harness.fixture.flush();
      expect(await read(channel, { key: 'a' })).toMatchObject({ position: ORIGIN, entries: [] });
    });

    it('a change of the number of partitions deletes all histories, and each partition has its own', async () => {
      const channel = keyed(10);
      await publish(channel, [...messages('a', 1, 2), ...messages('b', 3, 3)]);
      const specs = partitionSpecs(channel, 4);
      for (const each of [...specs, channel]) await harness.publishing.setPartitions(each, 4);
      for (const key of ['a', 'b', undefined])
        expect(await read(channel, { key })).toMatchObject({ partitions: 4, entries: [], extent: 'end' });
      const [first, second] = specs as [ChannelSpec, ChannelSpec];
      await publish(first, messages('a', 1, 2));
      expect(seqsOf(await read(first, { key: 'a' }))).toEqual([2, 1]);
      expect(seqsOf(await read(second, { key: 'a' }))).toEqual([]);
      await publish({ ...channel, layout: 4 }, messages('a', 1, 1));
    });

    it('replies after every message published before it has arrived', async () => {
      const channel = keyed(5);
      const { frames } = await listen(harness.subscribing, channel);
      for (let round = 1; round <= 50; round++) {
        await publish(channel, messages('a', 1, 7));
        const { position } = await read(channel, { key: 'a', count: 2 });
        expect(position.seq).toBe(round * 7);
        expect(frames.items.at(-1)?.seq).toBe(position.seq);
      }
    });
  });
}
