// What is said to the publish scripts: messages as they will stand on the wire where their place and time are known, else their bodies.

import { describe, expect, it } from 'vitest';
import {
  answerFrom,
  publishCall as anyCall,
  canBeReady,
  type ScriptCall,
} from '../../adapters/redis/publish-call.ts';
import type { ChannelSpec } from '../../core/channel.ts';
import type { Outgoing } from '../../core/ports.ts';
import { spec } from '../contracts/transport-bench.ts';

const batch = ['{"a":"x"}', '{"a":"ü💹"}'].map((json, index) => ({ json, key: `k${index}` }));
const after = { call: 'me:1', end: { epoch: 7, seq: 41 }, isRequired: true };

type Terms = Omit<Parameters<typeof anyCall>[2], 'way'>;

const publishCall = (channel: ChannelSpec, messages: readonly Outgoing[], terms: Terms) =>
  anyCall(channel, messages, { ...terms, way: 'messages' }) as ScriptCall;

/** What comes behind the ten arguments that every call has. */
const messagesOf = (...call: Parameters<typeof publishCall>) => publishCall(...call).args.slice(10);

describe('messages', () => {
  it('are bodies where their place or time is not known', () => {
    const bodies = ['k0', '"a":"x"}', 'k1', '"a":"ü💹"}'];
    for (const terms of [{}, { after }])
      expect(messagesOf(spec('state'), batch, { ...terms, fence: undefined, stamp: undefined })).toEqual(
        bodies,
      );
  });

  it('are ready where both are known', () => {
    const call = publishCall(spec('state'), batch, { call: 'me:2', after, fence: 3, stamp: 99 });
    expect(call.script).toBe('publishBatch');
    expect(call.args.slice(3)).toEqual([
      '3',
      'message',
      'me:2',
      'me:1',
      '7',
      '41',
      '99',
      'k0',
      '{"seq":42,"epoch":7,"at":99,"a":"x"}',
      'k1',
      '{"seq":43,"epoch":7,"at":99,"a":"ü💹"}',
    ]);
  });

  it('are one frame on a channel that is framed so, with their lengths in bytes', () => {
    const channel = { ...spec('state'), framing: 'batch' as const };
    const { script, args } = publishCall(channel, batch, { after, fence: undefined, stamp: 99 });
    const [text = '', frames, silent, ...lengths] = args.slice(10);
    expect([frames, silent]).toEqual(['frames', 'ours'].map((of) => `tickbus:{${channel.name}}:${of}`));
    expect(script).toBe('publishFrame');
    expect(JSON.parse(text)).toEqual([
      { seq: 42, epoch: 7, at: 99, a: 'x' },
      { seq: 43, epoch: 7, at: 99, a: 'ü💹' },
    ]);
    expect(lengths).toEqual(['k0', '36', 'k1', '41']);
    expect(Buffer.byteLength(text)).toBe(36 + 41 + '[,]'.length);
    const ascii = messagesOf(channel, batch.slice(0, 1), { after, fence: undefined, stamp: 99 });
    expect(ascii).toEqual(['[{"seq":42,"epoch":7,"at":99,"a":"x"}]', frames, silent, 'k0', '36']);
  });

  it('stay as they are on a plain channel', () => {
    expect(canBeReady(spec('plain'), { after })).toBe(false);
    expect(messagesOf(spec('plain'), batch, { fence: undefined, stamp: undefined })).toEqual([
      'k0',
      '{"a":"x"}',
      'k1',
      '{"a":"ü💹"}',
    ]);
  });

  it('with an id go without a place, which is known only when the server has looked for the id', () => {
    const once = { id: 'one', rememberMs: 60_000 };
    expect(canBeReady(spec('command'), { after })).toBe(false);
    const { script, keys, args } = publishCall(spec('command'), [{ json: '{"a":1}', once }], {
      fence: undefined,
      stamp: undefined,
    });
    expect(script).toBe('publishOnce');
    expect(keys.at(-1)).toMatch(/:id:one$/);
    expect(args.slice(10)).toEqual(['60000', '"a":1}']);
  });
});

it('what is required is the call, and what is only likely is not', () => {
  const expected = (isRequired: boolean) =>
    publishCall(spec('event'), batch, {
      after: { ...after, isRequired },
      fence: undefined,
      stamp: 99,
    }).args.slice(6, 10);
  expect(expected(true)).toEqual(['me:1', '7', '41', '99']);
  expect(expected(false)).toEqual(['', '7', '41', '99']);
});

it.each([[['OK']], ['OK'], [[1, 2, 3]], [['7', 'x', 1, 99]], [null]])(
  'takes %j for no answer of ours',
  (reply) => {
    expect(() => answerFrom(reply, spec('event'), 'publishBatch')).toThrow(
      expect.objectContaining({ code: 'TICKBUS_OUTCOME_UNKNOWN' }),
    );
  },
);
