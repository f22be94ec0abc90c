// Own command types on TRADE_COMMANDS: they have the field `bot`, whatever library their schema comes from.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { tradeCommands } from '../../channel/trade-commands.ts';
import { CHANNELS } from '../../constants.ts';
import { validatePayload } from '../../wire/payload-schema.ts';

const size = z.object({ size: z.number().default(1) });
const commands = tradeCommands({ set_size: size, strict: z.strictObject({ size: z.number() }) });

it('has the name, the key, the expiry and the types of TRADE_COMMANDS, and the own ones', () => {
  const { name, kind, keyed, expiresInMs, defaultType, answers } = commands;
  const bundled = CHANNELS.TRADE_COMMANDS;
  expect({ name, kind, keyed, expiresInMs, defaultType, answers }).toEqual({
    name: 'TRADE_COMMANDS',
    kind: 'command',
    keyed: true,
    expiresInMs: 30_000,
    defaultType: 'place_order',
    answers: CHANNELS.COMMAND_RESULTS,
  });
  expect(Object.keys(commands.messages)).toEqual([...Object.keys(bundled.messages), 'set_size', 'strict']);
  expect(commands.keyOf({ bot: 'momentum', size: 1 })).toBe('momentum');
});

it('describes an own type as JSON Schema with the bot, if the vendor does', () => {
  const described = (type: keyof typeof commands.messages) =>
    (commands.messages[type]['~standard'] as Partial<StandardJSONSchemaV1.Props>).jsonSchema;
  const options = { target: 'draft-2020-12' } as const;
  expect(described('set_size')?.input(options)).toMatchObject({
    type: 'object',
    properties: { bot: { type: 'string' }, size: { type: 'number' } },
    required: ['bot'],
  });
  expect(described('set_size')?.output(options)).toMatchObject({ required: ['bot', 'size'] });
  expect(described('strict')?.input(options)).toMatchObject({
    required: ['bot', 'size'],
    additionalProperties: false,
  });
  const validate = (value: unknown) => ({ value: value as object });
  const other = tradeCommands({ other: { '~standard': { version: 1, vendor: 'other', validate } } });
  expect(other.messages.other['~standard']).not.toHaveProperty('jsonSchema');
});

describe('an own type', () => {
  const validate = (type: string, data: unknown) => validatePayload(commands, type, data);

  it('gets the output of its schema, and the bot', () => {
    expect(validate('set_size', { bot: 'a', size: 5, other: 1 })).toEqual({ bot: 'a', size: 5 });
    expect(validate('set_size', { bot: 'a' })).toEqual({ bot: 'a', size: 1 });
    expect(validate('strict', { bot: 'a', size: 5 })).toEqual({ bot: 'a', size: 5 });
  });

  it.each([
    ['set_size', { size: 5 }, 'data.bot'],
    ['set_size', { bot: '', size: 5 }, 'data.bot'],
    ['set_size', { bot: 'a', size: 'big' }, 'data.size'],
    ['strict', { bot: 'a', size: 5, more: 1 }, 'data'],
    ['set_size', null, 'data'],
  ])('%s rejects %j at %s', (type, data, field) => {
    expect(() => validate(type, data)).toThrow(
      expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE', field }),
    );
  });

  it('rejects an asynchronous schema like any channel', () => {
    const slow: StandardSchemaV1<object, object> = {
      '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value: value as object }) },
    };
    expect(() => validatePayload(tradeCommands({ slow }), 'slow', { bot: 'a' })).toThrow(/is asynchronous/);
  });
});

it('rejects the name of a bundled type, and a value that is no schema', () => {
  expect(() => tradeCommands({ pause: size })).toThrow(/bundled type "pause" already/);
  expect(() => tradeCommands({ set_size: 'big' } as never)).toThrow(/no Standard Schema for .* "set_size"/);
});
