// Contract of partitions: recording their number, and refusing publishes for another number.

import { setTimeout as sleep } from 'node:timers/promises';
import { errorOf } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import type { ChannelSpec } from '../../channel/channel.ts';
import { partitionSpecs } from '../../channel/partition-specs.ts';
import { PartitionsChangedError } from '../../channel/partitions.ts';
import type { Outgoing, Receipt, Writer } from '../../transport/port.ts';
import { decodeEnvelope } from '../../wire/envelope.ts';
import { ORIGIN } from '../../wire/position.ts';
import { acquireHeld, batch, type ContractHarness, listen, outgoing, spec } from './transport.fixture.ts';

const KINDS = [
  ['state', 0],
  ['event', 10],
] as const;

export function describePartitions(harness: ContractHarness): void {
  const set = (...args: Parameters<ContractHarness['publishing']['setPartitions']>) =>
    harness.publishing.setPartitions(...args);
  const recorded = async (channel: ChannelSpec) => [
    (await harness.subscribing.head(channel)).partitions,
    (await harness.subscribing.read(channel)).partitions,
  ];
  const partitionOf16 = (channel: ChannelSpec) => partitionSpecs(channel, 16)[3] as ChannelSpec;
  const isFenced = (call: Promise<unknown>) => expect(call).rejects.toMatchObject({ code: 'TICKBUS_FENCED' });

  describe('setPartitions', () => {
    it('records the number, which head and read return', async () => {
      const channel = spec('state');
      const partition = partitionOf16(channel);
      expect([await recorded(channel), await recorded(partition)]).toEqual(Array(2).fill(Array(2)));
      expect([await set(partition, 16), await set(channel, 16)]).toEqual([16, 16]);
      expect([await recorded(channel), await recorded(partition)]).toEqual(Array(2).fill([16, 16]));
      expect(await set(channel, 256)).toBe(256);
      expect([await recorded(channel), await recorded(partition)]).toEqual([
        [256, 256],
        [16, 16],
      ]);
    });

    it('changes nothing if the channel has the number already', async () => {
      const channel = spec('state');
      await harness.publishing.publish(channel, batch(2));
      const used = await harness.subscribing.head(channel);
      expect(await set(channel, 1)).toBe(1);
      expect((await harness.subscribing.head(channel)).position).toEqual(used.position);
      const partition = partitionOf16(channel);
      await set(partition, 16);
      await harness.publishing.publish(partition, batch(2));
      const { position } = await harness.subscribing.head(partition);
      expect(await set(partition, 16)).toBe(16);
      expect(await harness.subscribing.read(partition)).toMatchObject({ position, entries: { length: 2 } });
    });

    it.each(KINDS)(
      'on a change, begins a larger epoch of a %s channel and deletes its stored messages',
      async (kind, history) => {
        const channel = spec(kind, history);
        const { first } = await harness.publishing.publish(channel, batch(3));
        await set(channel, 16);
        const { position, entries } = await harness.subscribing.read(channel);
        expect(position.seq).toBe(0);
        expect(position.epoch).toBeGreaterThan(first?.epoch ?? Number.POSITIVE_INFINITY);
        expect(entries).toEqual([]);
        await set(channel, 1);
        expect((await harness.subscribing.head(channel)).position.epoch).toBeGreaterThan(position.epoch);
        const next = await harness.publishing.publish(channel, batch(1));
        expect(next.first?.seq).toBe(1);
        expect((await harness.subscribing.read(channel)).entries).toHaveLength(1);
      },
    );

    it('also begins an epoch of a partition without a recorded number', async () => {
      const partition = partitionOf16(spec('state'));
      const { first } = await harness.publishing.publish(partition, batch(3));
      await set(partition, 16);
      const { position, entries } = await harness.subscribing.read(partition);
      expect(position.epoch).toBeGreaterThan(first?.epoch ?? Number.POSITIVE_INFINITY);
      expect(entries).toEqual([]);
    });

    it('with isFirst, records the number of an unused channel only', async () => {
      const unused = spec('event');
      expect(await set(unused, 16, { isFirst: true })).toBe(16);
      expect(await set(unused, 4, { isFirst: true })).toBe(16);
      expect(await recorded(unused)).toEqual([16, 16]);
      const used = spec('event');
      const { first } = await harness.publishing.publish(used, batch(1));
      expect(await set(used, 16, { isFirst: true })).toBe(1);
      expect(await harness.subscribing.head(used)).toEqual({ position: first, at: expect.any(Number) });
    });

    it('rejects with TICKBUS_FENCED unless the caller holds the lease, and changes nothing', async () => {
      const channel = spec('state');
      const lease = harness.subscribing.lease(channel);
      const { token } = await acquireHeld(lease);
      const { position } = await harness.subscribing.head(channel);
      for (const wrong of [undefined, token - 1, token + 1]) {
        await isFenced(set(channel, 16, { token: wrong }));
        // These calls change nothing, so that they need no lease.
        expect(await set(channel, 1, { token: wrong })).toBe(1);
        expect(await set(channel, 16, { token: wrong, isFirst: true })).toBe(1);
      }
      expect(await harness.subscribing.head(channel)).toMatchObject({ position });
      expect(await recorded(channel)).toEqual([undefined, undefined]);
      expect(await set(channel, 16, { token })).toBe(16);
      await lease.release(token);
      await isFenced(set(channel, 4, { token }));
      expect(await set(channel, 4)).toBe(4);
    });

    it('rejects with TICKBUS_FENCED during a hold-off, and after an exclusive lease expired', async () => {
      const channel = spec('state');
      const lease = harness.publishing.lease(channel);
      expect(await lease.acquire(60_000)).toMatchObject({ state: 'holding_off' });
      await isFenced(set(channel, 16));
      await isFenced(set(channel, 16, { isFirst: true }));
      const other = spec('state');
      const expiring = harness.publishing.lease(other);
      const { token } = await acquireHeld(expiring);
      await expiring.renew(token, 1);
      await sleep(10);
      await isFenced(set(other, 16));
      await isFenced(set(other, 16, { token }));
    });
  });

  describe('publish on a channel with partitions', () => {
    it.each(['state', 'event', 'command'] as const)(
      'rejects with PartitionsChangedError on a %s channel for another number, and publishes nothing',
      async (kind) => {
        const channel = spec(kind);
        const partition = partitionOf16(channel);
        for (const [written, partitions] of [
          [channel, 16],
          [partition, 4],
        ] as const) {
          const { frames } = await listen(harness.subscribing, written);
          await set(written, partitions);
          const error = await errorOf(harness.publishing.publish(written, batch(2)));
          expect(error).toBeInstanceOf(PartitionsChangedError);
          expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'partitions', partitions });
          expect(await harness.subscribing.read(written)).toMatchObject({
            position: { seq: 0 },
            entries: [],
          });
          expect(frames.items).toEqual([]);
        }
        const four = partitionSpecs(channel, 4)[3] as ChannelSpec;
        await set(four, 4);
        expect((await harness.publishing.publish(four, batch(1))).first?.seq).toBe(1);
      },
    );

    it('accepts any number while none is recorded, and on a plain channel', async () => {
      const channel = spec('state');
      expect((await harness.publishing.publish(partitionOf16(channel), batch(1))).first?.seq).toBe(1);
      const plain = spec('plain');
      await harness.publishing.publish(plain, batch(1));
    });

    it('rejects with TICKBUS_FENCED first, if another process holds the lease', async () => {
      const channel = spec('command');
      const lease = harness.subscribing.lease(channel);
      const { token } = await acquireHeld(lease);
      await set(channel, 16, { token });
      await isFenced(harness.publishing.publish(channel, batch(1)));
      const error = await errorOf(harness.publishing.publish(channel, batch(1), token));
      expect(error).toMatchObject({ partitions: 16 });
    });

    it('returns the outcome of a repeated command, whatever the number is now', async () => {
      const channel = spec('command');
      const command = (id: string, firstEpoch?: number): Outgoing => ({
        ...outgoing({ id }),
        idempotency: { id, rememberMs: 60_000, ...(firstEpoch === undefined ? {} : { firstEpoch }) },
      });
      const { first } = await harness.publishing.publish(channel, [command('a')]);
      await set(channel, 16);
      const retries = [command('a', first?.epoch), command('b', first?.epoch)];
      const { repeated } = await harness.publishing.publish(channel, retries);
      expect(repeated).toEqual(
        new Map<number, unknown>([
          [0, { position: first, receivers: 0 }],
          [1, 'forgotten'],
        ]),
      );
      const error = await errorOf(harness.publishing.publish(channel, [...retries, command('c')]));
      expect(error).toMatchObject({ partitions: 16 });
      // The id of the rejected command was not used.
      await set(channel, 1);
      expect((await harness.publishing.publish(channel, [command('c')])).first?.seq).toBe(1);
    });
  });

  describe('the exclusive writer of a channel with partitions', () => {
    it.each(KINDS)(
      'of kind %s is fenced by a change, and rejects batches for another number',
      async (kind, history) => {
        const channel = spec(kind, history);
        const { frames } = await listen(harness.subscribing, channel);
        const lease = harness.publishing.lease(channel);
        const { token, writer } = await acquireHeld(lease);
        await executed(writer, batch(2));
        await frames.reaches(2);
        await set(channel, 16, { token });
        const { position } = await harness.subscribing.head(channel);
        for (let time = 0; time < 2; time++) {
          const error = await errorOf(executed(writer, batch(2)));
          expect(error).toBeInstanceOf(PartitionsChangedError);
          expect(error).toMatchObject({ partitions: 16 });
        }
        const { entries, position: after } = await harness.subscribing.read(channel);
        expect([after.seq, entries, frames.items.length]).toEqual([0, [], 2]);
        expect(after.epoch).toBeGreaterThanOrEqual(position.epoch);
        expect(await lease.renew(token, 60_000)).toBe(true);
        await set(channel, 1, { token });
        expect((await executed(writer, batch(1))).first?.seq).toBe(1);
        await lease.release(token);
      },
    );

    it('rejects batches after a claim of a channel with another number', async () => {
      const channel = spec('state');
      await set(channel, 16);
      const { token, writer } = await acquireHeld(harness.publishing.lease(channel));
      expect(await errorOf(executed(writer, batch(1)))).toMatchObject({ partitions: 16 });
      await set(channel, 1, { token });
      expect((await executed(writer, batch(1))).first?.seq).toBe(1);
      expect((await executed(writer, batch(9))).first?.seq).toBe(2);
    });

    it.each(KINDS)(
      'of kind %s continues in another epoch, if the number is its own',
      async (kind, history) => {
        const partition = partitionOf16(spec(kind, history));
        const { frames } = await listen(harness.subscribing, partition);
        const { token, writer } = await acquireHeld(harness.publishing.lease(partition));
        const before = await executed(writer, batch(2));
        await set(partition, 16, { token });
        const receipts = await Promise.all([executed(writer, batch(2)), executed(writer, batch(1))]);
        await frames.reaches(5);
        expect(frames.items.map(({ seq }) => seq)).toEqual([1, 2, 1, 2, 3]);
        expect(receipts[0]?.first?.epoch).toBeGreaterThan(before.first?.epoch ?? Number.POSITIVE_INFINITY);
        expect(await recorded(partition)).toEqual([16, 16]);
      },
    );
  });

  it('a partition has a position, last values, lease and demand of its own', async () => {
    const channel = spec('state');
    const [partition, other] = partitionSpecs(channel, 2) as [ChannelSpec, ChannelSpec];
    for (const each of [partition, other]) await set(each, 2);
    const { frames } = await listen(harness.subscribing, partition);
    await harness.publishing.publish(partition, [outgoing({ n: 1 }, 'a')]);
    await harness.publishing.publish(other, [outgoing({ n: 2 }, 'b')]);
    await harness.publishing.publish(partition, [outgoing({ n: 3 }, 'c')]);
    await frames.reaches(2);
    expect(frames.items.map(({ seq, data }) => [seq, data.n])).toEqual([
      [1, 1],
      [2, 3],
    ]);
    const { entries, position } = await harness.subscribing.read(other);
    expect([position.seq, ...entries.map((entry) => decodeEnvelope(entry).data.n)]).toEqual([1, 2]);
    expect((await harness.subscribing.head(channel)).position).toEqual(ORIGIN);
    const { token, writer } = await acquireHeld(harness.publishing.lease(partition));
    await isFenced(harness.publishing.publish(partition, batch(1), token + 1));
    await harness.publishing.publish(other, batch(1));
    await executed(writer, [outgoing({ n: 4 }, 'a')]);
    await frames.reaches(3);
    const demand = harness.subscribing.demand(partition);
    await demand.declare('me', ['a'], 60_000);
    expect([...(await demand.wanted()).keys()]).toEqual(['a']);
    expect([...(await harness.subscribing.demand(other).wanted()).keys()]).toEqual([]);
  });
}

/** Sends a batch until it is executed, as the batcher of a publisher does. */
async function executed(writer: Writer | undefined, messages: readonly Outgoing[]): Promise<Receipt> {
  if (writer === undefined) throw new Error('The lease has no exclusive writer.');
  for (;;) {
    const receipt = await writer.publish(messages);
    if (receipt !== undefined) return receipt;
    while (writer.room === 0) await sleep(1);
  }
}
