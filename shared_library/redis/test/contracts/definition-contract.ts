// Contract of definitions: they stand at the head of the channel, and each writer with another one gets an error or a
// warning.

import { errorOf } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import type { ChannelSpec } from '../../channel/channel.ts';
import { complaintConflict } from '../../channel/complaint.ts';
import { DefinitionConflictError } from '../../channel/definition.ts';
import { partitionSpecs } from '../../channel/partition-specs.ts';
import { decodeEnvelope } from '../../wire/envelope.ts';
import { ORIGIN } from '../../wire/position.ts';
import { acquireHeld, batch, type ContractHarness, listen, outgoing, spec } from './transport.fixture.ts';

type Defined = ChannelSpec & { readonly definition: string };

const STATE = 'kind=state key=key';

export function describeDefinitions(harness: ContractHarness): void {
  /** A channel, and the same one as other programs define it. */
  const defined = (kind: ChannelSpec['kind'], definition: string): Defined => ({ ...spec(kind), definition });
  const as = (channel: ChannelSpec, kind: ChannelSpec['kind'], definition: string): Defined => ({
    ...channel,
    kind,
    definition,
  });
  const recorded = async (channel: ChannelSpec) => [
    (await harness.subscribing.head(channel)).definition,
    (await harness.subscribing.read(channel)).definition,
  ];
  const publish = (channel: ChannelSpec, size = 1) => harness.publishing.publish(channel, batch(size));

  describe('the definition of a channel', () => {
    it('stands at the head with the first message, and with its sender', async () => {
      const channel = defined('state', STATE);
      expect(await recorded(channel)).toEqual([undefined, undefined]);
      await publish(channel);
      expect(await recorded(channel)).toEqual(Array(2).fill(`${STATE} by=contract`));
    });

    it('is recorded again after the server has lost its memory', async () => {
      const channel = defined('state', STATE);
      const { first } = await publish(channel);
      await harness.fixture.flush();
      const lost = await harness.publishing.publish(channel, batch(1), undefined, first);
      expect(lost.first?.epoch).toBeGreaterThan(first?.epoch ?? Number.POSITIVE_INFINITY);
      await harness.publishing.publish(channel, batch(1), undefined, lost.first);
      expect(await recorded(channel)).toEqual(Array(2).fill(`${STATE} by=contract`));
    });

    it('is not recorded by a spec that has none, which publishes as before', async () => {
      const older = spec('state');
      await publish(older);
      expect(await recorded(older)).toEqual([undefined, undefined]);
      const channel = as(older, 'state', STATE);
      await publish(channel);
      await publish(older);
      expect(await recorded(channel)).toEqual(Array(2).fill(`${STATE} by=contract`));
    });

    it.each([
      ['kind', 'event', 'kind=event key=key'],
      ['kind', 'command', 'kind=command key='],
      ['key', 'state', 'kind=state key=other'],
    ] as const)('with another %s is refused: %s, %s', async (field, kind, definition) => {
      const channel = defined('state', STATE);
      await publish(channel, 2);
      const before = await harness.subscribing.read(channel);
      const { frames } = await listen(harness.subscribing, channel);
      const error = await errorOf(publish(as(channel, kind, definition)));
      expect(error).toBeInstanceOf(DefinitionConflictError);
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field, retryable: false });
      for (const part of [STATE, definition, 'by contract', 'Nothing was published'])
        expect(String(error)).toContain(part);
      const { at: _, ...unchanged } = before;
      expect(await harness.subscribing.read(channel)).toMatchObject(unchanged);
      expect(frames.items).toEqual([]);
      // The first writer goes on.
      await publish(channel);
      await frames.reaches(1);
    });

    it('stays if a batch of kind plain is published, and the receipt says so', async () => {
      const channel = defined('state', STATE);
      await publish(channel);
      const { frames } = await listen(harness.subscribing, channel);
      const plain = as(channel, 'plain', 'kind=plain key=');
      expect(await publish(plain)).toMatchObject({ first: undefined, replaced: `${STATE} by=contract` });
      expect(await publish(plain)).not.toHaveProperty('replaced');
      await frames.reaches(2);
      expect(await recorded(channel)).toEqual(Array(2).fill(`${STATE} by=contract`));
    });

    it('with another history replaces the recorded one, and the receipt says so', async () => {
      const channel = { ...defined('event', 'kind=event key= history=10'), history: 10 };
      await publish(channel);
      const longer = as(channel, 'event', 'kind=event key= history=20');
      const receipt = await publish(longer);
      expect(receipt).toMatchObject({
        first: { seq: 2 },
        replaced: 'kind=event key= history=10 by=contract',
      });
      expect(await publish(longer)).not.toHaveProperty('replaced');
      expect(await recorded(channel)).toEqual(Array(2).fill('kind=event key= history=20 by=contract'));
    });

    it('is compared again by each spec, and is sent by the first batch of an epoch only', async () => {
      const channel = defined('state', STATE);
      const { first } = await publish(channel);
      const other = as(channel, 'state', 'kind=state key=other');
      // A batch that continues at a known position of the spec is not compared.
      await harness.publishing.publish(channel, batch(1), undefined, first);
      expect(await errorOf(publish(other))).toBeInstanceOf(DefinitionConflictError);
      expect(await errorOf(harness.publishing.publish(other, batch(1), undefined, first))).toBeInstanceOf(
        DefinitionConflictError,
      );
    });

    it('is that of each partition, too', async () => {
      const channel = defined('event', 'kind=event key=key');
      const partition = partitionSpecs(channel, 16)[3] as ChannelSpec;
      await harness.publishing.setPartitions(channel, 16, { isFirst: true });
      expect((await harness.subscribing.head(channel)).definition).toBe('kind=event key=key');
      await publish(partition);
      expect(await recorded(partition)).toEqual(Array(2).fill('kind=event key=key by=contract'));
      // With partitions, the key decides where a message goes.
      const other = partitionSpecs(as(channel, 'event', 'kind=event key=other'), 16)[3] as ChannelSpec;
      expect(await errorOf(publish(other))).toMatchObject({ field: 'key' });
    });
  });

  describe('the definition of a lease holder', () => {
    it('stands at the head before the first message', async () => {
      const channel = defined('state', STATE);
      const held = await acquireHeld(harness.publishing.lease(channel));
      expect(held).not.toHaveProperty('replaced');
      expect(await recorded(channel)).toEqual(Array(2).fill(expect.stringMatching(`^${STATE}( by=\\S+)?$`)));
    });

    it('replaces another one, and what was stored under another key or kind is deleted', async () => {
      const channel = defined('state', STATE);
      await publish(channel, 2);
      const other = as(channel, 'state', 'kind=state key=other');
      const lease = harness.publishing.lease(other);
      const { token, replaced } = await acquireHeld(lease);
      expect(replaced).toBe(`${STATE} by=contract`);
      expect(await harness.subscribing.read(other)).toMatchObject({
        entries: [],
        definition: expect.stringContaining('kind=state key=other'),
      });
      await lease.release(token);
      // The same definition again replaces nothing.
      expect(await acquireHeld(lease)).not.toHaveProperty('replaced');
    });

    it('keeps what is stored if its key is a function, which cannot be compared with a name', async () => {
      const channel = defined('state', STATE);
      await publish(channel, 3);
      const same = harness.publishing.lease(as(channel, 'state', 'kind=state key=function()'));
      expect(await acquireHeld(same)).toMatchObject({ replaced: `${STATE} by=contract` });
      expect((await harness.subscribing.read(channel)).entries).toHaveLength(3);
    });

    it('keeps what is stored if only the history has another length', async () => {
      const channel = { ...defined('event', 'kind=event key= history=10'), history: 10 };
      await publish(channel, 3);
      const { replaced } = await acquireHeld(
        harness.publishing.lease(as(channel, 'event', 'kind=event key= history=5')),
      );
      expect(replaced).toBe('kind=event key= history=10 by=contract');
      expect((await harness.subscribing.read(channel)).entries).toHaveLength(3);
    });
  });

  describe('a complaint about the definition of a channel', () => {
    const complaint = async (channel: ChannelSpec) => (await harness.publishing.head(channel)).conflict;
    const own = 'kind=event key=other by=beta';

    it('stands at the head with its time, and replaces the former one', async () => {
      const channel = defined('state', STATE);
      await publish(channel);
      expect(await complaint(channel)).toBeUndefined();
      await harness.subscribing.complain(channel, 'kind=event key= by=gamma');
      await harness.subscribing.complain(channel, own);
      const { conflict, at, ...head } = await harness.publishing.head(channel);
      expect(conflict).toMatch(/^at=\d+ kind=event key=other by=beta$/);
      expect(complaintConflict(channel, conflict ?? '', { at })).toMatchObject({
        by: 'beta',
        fields: ['kind'],
      });
      expect(head).toMatchObject({ position: { seq: 1 }, definition: `${STATE} by=contract` });
      await publish(channel);
      expect((await harness.publishing.head(channel)).position.seq).toBe(2);
    });

    it('creates no head, and is not left where no definition is recorded', async () => {
      const [unused, older] = [defined('state', STATE), spec('state')];
      await publish(older);
      for (const channel of [unused, older]) {
        await harness.subscribing.complain(channel, own);
        expect(await complaint(channel)).toBeUndefined();
      }
      expect((await harness.publishing.head(unused)).position).toEqual(ORIGIN);
      await publish(unused);
      expect(await recorded(unused)).toEqual(Array(2).fill(`${STATE} by=contract`));
    });
  });

  it('a read tells the key under which its first entry is stored', async () => {
    const channel = spec('state');
    expect(await harness.subscribing.read(channel)).not.toHaveProperty('firstKey');
    await harness.publishing.publish(channel, [outgoing({ n: 1 }, 'a'), outgoing({ n: 2 }, 'b')]);
    const { entries, firstKey } = await harness.subscribing.read(channel);
    const { n } = decodeEnvelope(entries[0] ?? new Uint8Array()).data;
    expect(firstKey).toBe(n === 1 ? 'a' : 'b');
  });

  it.each(['a', 'b', 'c'])('a read of what is new tells the key of that message: %s', async (key) => {
    const channel = spec('state');
    const all = ['a', 'b', 'c'].map((each) => outgoing({ n: 1 }, each));
    await harness.publishing.publish(channel, all);
    const { position } = await harness.subscribing.head(channel);
    await harness.publishing.publish(channel, [outgoing({ n: 2 }, key)]);
    const { entries, firstKey } = await harness.subscribing.read(channel, position);
    expect(entries).toHaveLength(1);
    expect(firstKey).toBe(key);
  });

  it('a plain client publishes on a channel with a definition', async () => {
    const channel = defined('state', STATE);
    await publish(channel);
    const { frames } = await listen(harness.subscribing, channel);
    await harness.fixture.publishRaw(channel.name, new TextEncoder().encode(outgoing({ n: 9 }).json));
    await frames.reaches(1);
    expect(frames.items.map(({ data }) => data)).toEqual([{ n: 9 }]);
  });
}
