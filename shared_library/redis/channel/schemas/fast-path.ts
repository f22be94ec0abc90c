// A schema with a fast path: values that a cheap check accepts skip the schema.

import type { z } from 'zod';

/**
 * The given schema, except that validation first calls `isKnownValid` and skips the schema if that returns true.
 *
 * @param isKnownValid returns true only for values that the schema would return unchanged
 */
export function withFastPath<S extends z.ZodType>(schema: S, isKnownValid: (data: unknown) => boolean): S {
  const standard = schema['~standard'];
  const { validate } = standard;
  const withCheck = {
    ...standard,
    validate: (value: unknown) => (isKnownValid(value) ? { value } : validate(value)),
  };
  // Everything else is inherited from the schema.
  return Object.create(schema, { '~standard': { value: withCheck, enumerable: true } }) as S;
}
