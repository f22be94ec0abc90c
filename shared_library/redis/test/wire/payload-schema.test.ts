// Payload validation against zod and hand-written Standard Schemas.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { TickbusError } from '../../errors.ts';
import { schemaOf, validatePayload } from '../../wire/payload-schema.ts';
import { errorWith } from '../channels.fixture.ts';

function standard(validate: StandardSchemaV1.Props['validate']): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'by hand', validate } };
}

const channel = defineChannel('C', {
  kind: 'plain',
  messages: {
    order: z.object({
      legs: z.array(z.object({ price: z.number() })),
      note: z.string().trim().default('none'),
    }),
    late: standard(async (value) => ({ value })),
    refused: standard(() => ({ issues: [{ message: 'no \u001b[31m' }, { message: 'second' }] })),
    placed: standard(() => ({ issues: [{ message: 'no', path: ['a', { key: 'b' }, 0, Symbol('s')] }] })),
  },
});

const invalidMessage = (field: string, text: RegExp) =>
  errorWith('TICKBUS_INVALID_MESSAGE', { field, message: expect.stringMatching(text) });

describe('validatePayload', () => {
  it('returns the schema output', () => {
    const data = { legs: [{ price: 1 }], note: ' x ' };
    expect(validatePayload(channel, 'order', data)).toEqual({ legs: [{ price: 1 }], note: 'x' });
    expect(validatePayload(channel, 'order', { legs: [] })).toEqual({ legs: [], note: 'none' });
  });

  it('throws TICKBUS_INVALID_MESSAGE with the path of the first invalid field', () => {
    const validating = (data: unknown) => expect(() => validatePayload(channel, 'order', data));
    validating({ legs: [{ price: 1 }, { price: '1' }] }).toThrow(
      invalidMessage('data.legs.1.price', /C "order"/),
    );
    validating({}).toThrow(invalidMessage('data.legs', /expected array/));
    validating('text').toThrow(invalidMessage('data', /expected object/));
  });

  it('accepts any Standard Schema and escapes its messages', () => {
    expect(() => validatePayload(channel, 'refused', {})).toThrow(
      invalidMessage('data', /no \\u001b\[31m\.$/),
    );
    expect(() => validatePayload(channel, 'placed', {})).toThrow(
      invalidMessage('data.a.b.0.Symbol(s)', /no/),
    );
  });

  it('throws TICKBUS_INVALID_OPTION for a schema that validates asynchronously', () => {
    expect(() => validatePayload(channel, 'late', {})).toThrow(
      errorWith('TICKBUS_INVALID_OPTION', {
        message: 'The schema of C "late" is asynchronous, or threw an error. Use a synchronous schema.',
      }),
    );
  });
});

describe('a schema that fails', () => {
  // zod turns a check that throws into a rejected promise; an unhandled rejection ends a Node process.
  it.each<[string, StandardSchemaV1]>([
    ['a zod check that throws', z.object({}).refine(() => throws())],
    ['a promise that rejects', standard(async () => throws())],
  ])('leaves no unhandled rejection (%s)', async (_, schema) => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    const failing = defineChannel('C', { kind: 'plain', messages: { m: schema } });
    expect(() => validatePayload(failing, 'm', {})).toThrow(TickbusError);
    await eventLoopTurns();
    process.off('unhandledRejection', listener);
    expect(unhandled).toEqual([]);
  });
});

function throws(): never {
  throw new Error('in the schema');
}

describe('schemaOf', () => {
  it('returns the schema of a type', () => {
    expect(schemaOf(channel, 'order')).toBe(channel.messages.order);
  });

  it.each(['nope', '', 'toString', 'constructor', '__proto__', 'hasOwnProperty'])(
    'throws TICKBUS_INVALID_MESSAGE for %j',
    (type) => {
      expect(() => schemaOf(channel, type)).toThrow(
        invalidMessage('message_type', /it defines order, late, refused, placed/),
      );
    },
  );
});
