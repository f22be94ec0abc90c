// Contract of adopt: messages of plain clients become last values, and no key goes back to an older value.

import { describe, expect, it } from 'vitest';
import type { ChannelSpec } from '../../channel/channel.ts';
import { MAX_ADOPTED_KEYS } from '../../channel/limits.ts';
import type { PlainMessage } from '../../transport/adoption-port.ts';
import { adoptableText } from '../../wire/adopted-prefix.ts';
import { decodeEnvelope } from '../../wire/envelope.ts';
import { ORIGIN } from '../../wire/position.ts';
import { acquireHeld, type ContractHarness, listen, outgoing, spec } from './transport.fixture.ts';

interface Plain extends Partial<Pick<PlainMessage, 'after' | 'agoMs'>> {
  readonly key?: string;
  readonly text?: string;
  readonly timestamp?: number;
}

function plain({ key = 'key', text = '', timestamp = 1, after = ORIGIN, agoMs = 0 }: Plain): PlainMessage {
  const envelope = { message_type: 'test', data: { text }, timestamp, sender: 'python' };
  return { ...adoptableText(envelope), key, after, agoMs };
}

export function describeAdoption(harness: ContractHarness): void {
  const adopt = (channel: ChannelSpec, ...messages: Plain[]) =>
    harness.publishing.adopt(channel, messages.map(plain));
  const stored = async (channel: ChannelSpec) =>
    (await harness.subscribing.read(channel)).entries.map((entry) => decodeEnvelope(entry));
  const texts = async (channel: ChannelSpec) => (await stored(channel)).map(({ data }) => data.text).sort();

  describe('adopt', () => {
    it.each([
      ['kind=state key=key', 'kind=state key=key', 'stored'],
      ['kind=state key=key', 'kind=state key=other', 'redefined'],
      ['kind=event key=key', 'kind=state key=key', 'redefined'],
      ['kind=state key=function()', 'kind=state key=key', 'stored'],
      ['kind=state key=key', 'kind=state key=function()', 'stored'],
    ] as const)(
      'stores nothing under another key: %s recorded, %s here: %s',
      async (recorded, own, expected) => {
        const channel = spec('state');
        await harness.publishing.publish({ ...channel, definition: recorded }, [
          outgoing({ text: 'a' }, 'a'),
        ]);
        expect(await adopt({ ...channel, definition: own }, { text: 'b' })).toEqual([expected]);
        expect(await texts(channel)).toEqual(expected === 'stored' ? ['a', 'b'] : ['a']);
      },
    );

    it('stores the message with its mark, and neither numbers nor publishes it', async () => {
      const channel = spec('state');
      const { frames } = await listen(harness.subscribing, channel);
      const before = (await harness.subscribing.head(channel)).at;
      expect(await adopt(channel, { text: 'a', timestamp: 1_650_123_456.25 })).toEqual(['stored']);
      const { entries, position, at } = await harness.subscribing.read(channel);
      expect(position).toEqual(ORIGIN);
      const [value] = entries.map((entry) => decodeEnvelope(entry));
      expect(value).toEqual({
        adopted: true,
        at: expect.any(Number),
        message_type: 'test',
        data: { text: 'a' },
        timestamp: 1_650_123_456.25,
        sender: 'python',
      });
      expect(value?.at).toBeGreaterThanOrEqual(Math.floor(before));
      expect(value?.at).toBeLessThanOrEqual(at);
      expect(await texts(channel)).toEqual(['a']);
      expect(frames.items).toEqual([]);
    });

    it('the time of adoption is when the message was heard', async () => {
      const channel = spec('state');
      const before = (await harness.subscribing.head(channel)).at;
      await adopt(channel, { agoMs: 4_000 });
      const { at } = await harness.subscribing.head(channel);
      const [value] = await stored(channel);
      expect(value?.at).toBeGreaterThanOrEqual(Math.floor(before) - 4_000);
      expect(value?.at).toBeLessThanOrEqual(at - 3_999);
    });

    it('repetition changes nothing, and an older message replaces no newer one', async () => {
      const channel = spec('state');
      expect(await adopt(channel, { text: 'old', timestamp: 10 }, { text: 'new', timestamp: 11.5 })).toEqual([
        'stored',
        'stored',
      ]);
      const [first] = await stored(channel);
      expect(
        await adopt(channel, { text: 'new', timestamp: 11.5, agoMs: 100 }, { text: 'old', timestamp: 10 }),
      ).toEqual(['present', 'older']);
      expect(await stored(channel)).toEqual([first]);
    });

    it('of two messages with one timestamp, the last one stays', async () => {
      const channel = spec('state');
      expect(await adopt(channel, { text: 'stopping' }, { text: 'stopped' })).toEqual(['stored', 'stored']);
      expect(await texts(channel)).toEqual(['stopped']);
    });

    it('a client whose clock was set back is adopted again once the value is older than all delays', async () => {
      const channel = spec('state');
      await adopt(channel, { text: 'ahead', timestamp: 9e12, agoMs: 10_001 });
      expect(await adopt(channel, { text: 'back', timestamp: 5 })).toEqual(['stored']);
      await adopt(channel, { text: 'ahead again', timestamp: 9e12 });
      expect(await adopt(channel, { text: 'back', timestamp: 6 })).toEqual(['older']);
    });

    it('replaces a numbered value that was published before it, and none that was published after it', async () => {
      const channel = spec('state');
      const publish = async (text: string) =>
        (await harness.publishing.publish(channel, [outgoing({ text })])).first ?? ORIGIN;
      const first = await publish('first');
      const second = await publish('second');
      expect(await adopt(channel, { text: 'between', after: first, timestamp: 9e12 })).toEqual(['older']);
      expect(await adopt(channel, { text: 'unknown place', timestamp: 9e12 })).toEqual(['older']);
      expect(await texts(channel)).toEqual(['second']);
      expect(await adopt(channel, { text: 'third', after: second, timestamp: 1 })).toEqual(['stored']);
      expect(await texts(channel)).toEqual(['third']);
      await publish('fourth');
      expect(await texts(channel)).toEqual(['fourth']);
      expect((await harness.subscribing.head(channel)).position).toEqual({ ...first, seq: 3 });
    });

    it('is left out of what is read after a position, and comes with all last values', async () => {
      const channel = spec('state');
      const { first } = await harness.publishing.publish(channel, [outgoing({ text: 'numbered' }, 'a')]);
      await adopt(channel, { key: 'b', text: 'adopted' });
      expect((await harness.subscribing.read(channel, first)).entries).toEqual([]);
      await harness.publishing.publish(channel, [outgoing({ text: 'next' }, 'c')]);
      expect((await harness.subscribing.read(channel, first)).entries).toHaveLength(1);
      expect(await texts(channel)).toEqual(['adopted', 'next', 'numbered']);
    });

    it('adds no key beyond its limit, and leaves room for numbered values', async () => {
      const channel = spec('state');
      for (let from = 0; from < MAX_ADOPTED_KEYS - 1; from += 999)
        await harness.publishing.adopt(
          channel,
          Array.from({ length: 999 }, (_, index) => plain({ key: `key-${from + index}` })).slice(
            0,
            MAX_ADOPTED_KEYS - 1 - from,
          ),
        );
      expect(await adopt(channel, { key: 'last' }, { key: 'full' }, { key: 'last', text: 'new' })).toEqual([
        'stored',
        'full',
        'stored',
      ]);
      await harness.publishing.publish(channel, [outgoing({ text: 'numbered' }, 'another')]);
      expect(await adopt(channel, { key: 'key-0', text: 'new', timestamp: 2 }, { key: 'more' })).toEqual([
        'stored',
        'full',
      ]);
    });

    it('stores nothing while the lease of the channel is held', async () => {
      const channel = spec('state');
      const lease = harness.publishing.lease(channel);
      const { token } = await acquireHeld(lease);
      expect(await adopt(channel, { text: 'a' })).toEqual(['leased']);
      expect(await stored(channel)).toEqual([]);
      await lease.release(token);
      expect(await adopt(channel, { text: 'a' })).toEqual(['stored']);
      await lease.close();
    });

    it('rejects messages that were routed for another number of partitions', async () => {
      const channel = spec('state');
      await harness.publishing.setPartitions(channel, 4);
      await expect(adopt(channel, {})).rejects.toMatchObject({ partitions: 4, field: 'partitions' });
      const partition = { ...channel, name: `${channel.name}#1/4`, layout: 4 };
      expect(await adopt(partition, { text: 'a' })).toEqual(['stored']);
      expect(await texts(partition)).toEqual(['a']);
    });

    it('a value with quotes, line breaks and other alphabets survives', async () => {
      const channel = spec('state');
      const text = '"timestamp":7,\n{"adopted":true} %s %d é 漢 \u2028 \\';
      await adopt(channel, { text });
      expect(await adopt(channel, { text })).toEqual(['present']);
      expect(await texts(channel)).toEqual([text]);
    });
  });
}
