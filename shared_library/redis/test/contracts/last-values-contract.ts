// Contract of last values: keys that end, and the limit of keys on a channel.

import { describe, expect, it } from 'vitest';
import type { ChannelSpec } from '../../channel/channel.ts';
import { MAX_CHANNEL_KEYS } from '../../channel/limits.ts';
import type { Outgoing } from '../../transport/port.ts';
import { decodeEnvelope } from '../../wire/envelope.ts';
import { type ContractHarness, listen, outgoing, spec } from './transport.fixture.ts';

const ending = (key: string): Outgoing => ({ ...outgoing({ key, isEnd: true }, key), endsKey: true });
const value = (key: string): Outgoing => outgoing({ key }, key);

export function describeLastValues(harness: ContractHarness): void {
  const keptKeys = async (channel: ChannelSpec) =>
    (await harness.subscribing.read(channel)).entries.map((entry) => decodeEnvelope(entry).data.key).sort();

  describe('last values', () => {
    it('a message that ends its key is numbered and delivered live, and a late joiner gets nothing of it', async () => {
      const channel = spec('state');
      const { frames } = await listen(harness.subscribing, channel);
      await harness.publishing.publish(channel, [value('a'), value('b')]);
      const { first, receivers } = await harness.publishing.publish(channel, [ending('a')]);
      expect([first?.seq, receivers]).toEqual([3, 1]);
      await frames.reaches(3);
      expect(frames.items[2]).toMatchObject({ seq: 3, data: { key: 'a', isEnd: true } });
      expect(await keptKeys(channel)).toEqual(['b']);
      expect((await harness.subscribing.read(channel)).position.seq).toBe(3);
    });

    it.each([
      ['set then end', [value('a'), ending('a'), value('b')], ['b', 'c']],
      ['end then set', [ending('c'), value('c')], ['c']],
      ['end, set, end', [ending('c'), value('c'), ending('c')], []],
      ['set, end, set', [value('a'), ending('a'), value('a')], ['a', 'c']],
      ['the end of an unknown key', [ending('x')], ['c']],
      ['eleven messages', [...'abdefghij'].map(value).concat(ending('c'), ending('j')), [...'abdefghi']],
    ])('the order within a batch decides: %s', async (_, messages, keys) => {
      const channel = spec('state');
      const { frames } = await listen(harness.subscribing, channel);
      await harness.publishing.publish(channel, [value('c')]);
      await harness.publishing.publish(channel, messages);
      await frames.reaches(1 + messages.length);
      expect(frames.items.map(({ seq }) => seq)).toEqual(frames.items.map((_, index) => index + 1));
      expect(await keptKeys(channel)).toEqual(keys);
    });

    it('rejects a batch with a key beyond the limit as a whole, and still accepts keys that exist', async () => {
      const channel = spec('state');
      const keys = Array.from({ length: MAX_CHANNEL_KEYS - 1 }, (_, index) => `key-${index}`);
      for (let from = 0; from < keys.length; from += 1_000)
        await harness.publishing.publish(channel, keys.slice(from, from + 1_000).map(value));
      const count = async () => (await harness.subscribing.head(channel)).position.seq;
      const refused = (messages: readonly Outgoing[]) =>
        expect(harness.publishing.publish(channel, messages)).rejects.toMatchObject({
          code: 'TICKBUS_LIMIT_EXCEEDED',
          message: expect.stringMatching(/50000 keys.*No message of the batch was published.*endsKey: true/),
        });
      await refused([value('key-1'), value('new-1'), value('new-2')]);
      expect(await count()).toBe(MAX_CHANNEL_KEYS - 1);
      await harness.publishing.publish(channel, [value('new-1'), value('new-1'), value('key-1')]);
      await refused([value('new-2')]);
      await harness.publishing.publish(channel, [value('key-1'), value('key-2')]);
      await harness.publishing.publish(channel, [ending('key-1')]);
      await harness.publishing.publish(channel, [value('new-2')]);
      await refused([value('key-1')]);
      expect(await count()).toBe(MAX_CHANNEL_KEYS + 6);
    });
  });
}
