// The contract of chained calls: several under way at once, each directly behind the one before, or not at all.

import { describe, expect, it } from 'vitest';
import type { ChannelSpec } from '../../core/channel.ts';
import { decodeEnvelope } from '../../core/envelope.ts';
import type { Chained, Receipt } from '../../core/ports.ts';
import type { Position } from '../../core/sequence.ts';
import { batch, listen, outgoing, spec, type TransportBench } from './transport-bench.ts';

const endOf = ({ first }: Receipt, count: number): Position => ({
  epoch: first?.epoch ?? Number.NaN,
  seq: (first?.seq ?? Number.NaN) + count - 1,
});

const named = (call: string, after?: string, end?: Position): Chained => ({
  call,
  after: after !== undefined && end !== undefined ? { call: after, end, isRequired: true } : undefined,
});

const NOTHING: Receipt = { isOvertaken: true, first: undefined, receivers: 0 };

export function describeChain(bench: TransportBench): void {
  describe.each(['message', 'batch'] as const)('a chain of calls, framing %s', (framing) => {
    /** A channel that ends with call `a`, three messages long. */
    async function opened(kind: 'state' | 'event', history = 0) {
      // After a few answers Redis' time is known well enough to stamp a frame beforehand.
      for (let call = 0; call < 4; call++) await bench.publishing.publish(spec('event'), batch(1));
      const channel: ChannelSpec = { ...spec(kind, history), framing };
      const { frames } = await listen(bench.subscribing, channel);
      const publish = (size: number, chained?: Chained) =>
        bench.publishing.publish(channel, batch(size), undefined, chained);
      const first = await publish(3, named('a'));
      const end = endOf(first, 3);
      return { channel, frames, publish, end, at: (seq: number) => ({ ...end, seq }) };
    }

    it('takes effect in order, all of them under way at once', async () => {
      const { frames, publish, end, at } = await opened('event');
      const receipts = await Promise.all([
        publish(20, named('b', 'a', end)),
        publish(1, named('c', 'b', at(23))),
        publish(30, named('d', 'c', at(24))),
      ]);
      expect(receipts).toEqual([4, 24, 25].map((seq) => ({ first: at(seq), receivers: 1 })));
      await frames.reach(54);
      const heard = frames.all;
      expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 54 }, (_, index) => index + 1));
      expect(new Set(heard.map(({ epoch }) => epoch))).toEqual(new Set([end.epoch]));
    });

    it.each<[string, (end: Position) => Chained]>([
      ['ends earlier', (end) => named('b', 'a', { ...end, seq: end.seq + 1 })],
      ['ends later', (end) => named('b', 'a', { ...end, seq: end.seq - 1 })],
      ['is of another epoch', (end) => named('b', 'a', { ...end, epoch: end.epoch - 1 })],
      ['ends with another call', (end) => named('b', 'z', end)],
    ])('does nothing where the channel %s, and neither does what is behind it', async (_, wrong) => {
      const { channel, frames, publish, end } = await opened('state');
      const first = wrong(end);
      const behind = { epoch: end.epoch, seq: (first.after?.end.seq ?? 0) + 2 };
      const outcomes = await Promise.all([publish(2, first), publish(2, named('c', 'b', behind))]);
      expect(outcomes).toEqual([NOTHING, NOTHING]);
      const { position, entries } = await bench.publishing.read(channel);
      expect(position).toEqual(end);
      expect(entries).toHaveLength(3);
      await publish(1, named('d', 'a', end));
      await frames.reach(4);
      expect(frames.all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    });

    it('does nothing behind a call that did nothing, even where another call made the number fit', async () => {
      const { publish, end, at } = await opened('event');
      await publish(5, named('other'));
      expect(await publish(5, named('b', 'a', end))).toEqual(NOTHING);
      expect(await publish(5, named('c', 'b', at(8)))).toEqual(NOTHING);
      await publish(5);
      expect(await publish(5, named('d', 'other', at(13)))).toEqual(NOTHING);
    });

    it.each<[string, (end: Position) => Position]>([
      ['ends as it says', (end) => end],
      ['ends earlier', (end) => ({ ...end, seq: end.seq + 8 })],
      ['ends later', (end) => ({ ...end, seq: end.seq - 2 })],
      ['is of another epoch', (end) => ({ ...end, epoch: end.epoch - 1 })],
    ])('takes the place there is where that is not required and the channel %s', async (_, taken) => {
      const { channel, frames, publish, end, at } = await opened('state');
      for (const [index, size] of [2, 20].entries()) {
        const after = { call: 'a', end: taken(at(3 + 2 * index)), isRequired: false };
        const { first, isOvertaken } = await publish(size, { call: `b${index}`, after });
        expect(isOvertaken).toBeUndefined();
        expect(first).toEqual(at(4 + 2 * index));
      }
      // The call is the last one of the channel, for whoever has to stand behind it.
      expect(await publish(1, named('c', 'b1', at(25)))).toEqual({ first: at(26), receivers: 1 });
      await frames.reach(26);
      const heard = frames.all;
      expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 26 }, (_, index) => index + 1));
      expect(new Set(heard.map(({ epoch }) => epoch))).toEqual(new Set([end.epoch]));
      expect(heard.map(({ data }) => data.index)).toEqual(
        [3, 2, 20, 1].flatMap((size) => Array.from({ length: size }, (_, index) => index)),
      );
      const { entries } = await bench.publishing.read(channel, at(25));
      expect(entries.map(decodeEnvelope)).toEqual(heard.slice(-1));
    });

    it('begins an epoch where the server has forgotten the channel and nothing is required', async () => {
      const { frames, publish, end } = await opened('state');
      await bench.fixture.flush();
      const { first } = await publish(2, { call: 'b', after: { call: 'a', end, isRequired: false } });
      expect(first?.seq).toBe(1);
      expect(first?.epoch).toBeGreaterThan(end.epoch);
      await frames.reach(5);
      expect(
        frames.all
          .flat()
          .slice(3)
          .map(({ epoch, seq }) => ({ epoch, seq })),
      ).toEqual([first, { ...first, seq: 2 }]);
    });

    it('does nothing on a server that has forgotten the channel', async () => {
      const { channel, publish, end } = await opened('state');
      await bench.fixture.flush();
      expect(await publish(1, named('b', 'a', end))).toEqual(NOTHING);
      expect((await bench.publishing.read(channel)).position.epoch).toBe(0);
    });

    it.each(['state', 'event'] as const)(
      'keeps each message of a %s channel as it was published',
      async (kind) => {
        const { channel, frames, end } = await opened(kind, 10);
        const texts = ['plain', 'ünï 漢字 💹', '"quoted" \\ \n', ''];
        const messages = texts.map((text) => outgoing({ text }, text));
        await bench.publishing.publish(channel, messages, undefined, named('b', 'a', end));
        await frames.reach(3 + texts.length);
        const heard = frames.all.slice(3);
        expect(heard.map(({ data }) => data.text)).toEqual(texts);
        const { entries } = await bench.publishing.read(channel, end);
        const kept = entries.map(decodeEnvelope).sort((one, other) => (one.seq ?? 0) - (other.seq ?? 0));
        expect(kept).toEqual(heard);
      },
    );

    it('is stamped with the time of the server, never late and hardly early', async () => {
      const { channel, frames, publish, end } = await opened('event');
      const before = await bench.publishing.read(channel);
      await publish(20, named('b', 'a', end));
      const after = await bench.publishing.read(channel);
      await frames.reach(23);
      for (const { at = 0 } of frames.all.slice(3)) {
        expect(at).toBeGreaterThanOrEqual(Math.floor(before.at) - 5);
        expect(at).toBeLessThanOrEqual(after.at);
      }
    });
  });
}
