// A schema with a guard before it: what is plainly valid is let through at once, everything else is for the schema to say.

import type { z } from 'zod';

/**
 * The schema, whose Standard Schema interface asks `isPlainlyValid` first.
 *
 * @param isPlainlyValid may say true only of what the schema would give out as it is
 */
export function withFastPath<S extends z.ZodType>(schema: S, isPlainlyValid: (data: unknown) => boolean): S {
  const standard = schema['~standard'];
  const { validate } = standard;
  const asking = {
    ...standard,
    validate: (value: unknown) => (isPlainlyValid(value) ? { value } : validate(value)),
  };
  // It stays the schema in all else: only this property is its own.
  return Object.create(schema, { '~standard': { value: asking, enumerable: true } }) as S;
}
