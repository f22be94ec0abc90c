// A kind of feed: its settings, their help, and its factory.

import { z } from 'zod';
import type { Feed } from './feed.ts';
import { secretsOfUrl } from './redactor.ts';

export interface FeedKind {
  /** One line for `--help`. */
  readonly summary: string;
  /**
   * Each field's name is that of its environment variable. Its error message completes the sentence "NAME must be ..."
   * and never contains the value. Its description is its line of `--help`. With `secret: true` in its metadata, the
   * value must not appear in any output.
   */
  readonly settings: z.ZodRawShape;
  /**
   * Creates a feed from the parsed settings, without connecting. Each call creates a new feed.
   *
   * @throws Error with sentences that say what to install or correct
   */
  create(values: Readonly<Record<string, unknown>>): Promise<Feed>;
}

/** Defines a kind of feed; `create` receives values typed by `settings`. */
export function defineFeedKind<Shape extends z.ZodRawShape>(kind: {
  readonly summary: string;
  readonly settings: Shape;
  create(values: z.infer<z.ZodObject<Shape>>): Feed | Promise<Feed>;
}): FeedKind {
  return {
    summary: kind.summary,
    settings: kind.settings,
    create: async (values) => kind.create(values as z.infer<z.ZodObject<Shape>>),
  };
}

/**
 * The secret values of a kind's settings: strings, the tokens in them if they are URLs, and every string inside a
 * secret object.
 */
export function secretsOf(
  { settings }: FeedKind,
  values: Readonly<Record<string, unknown>>,
): readonly string[] {
  const isSecret = (schema: unknown) => schema instanceof z.ZodType && schema.meta()?.secret === true;
  return Object.entries(settings).flatMap(([name, schema]) =>
    isSecret(schema) ? textsIn(values[name]).flatMap((text) => [text, ...secretsOfUrl(text)]) : [],
  );
}

/** Every string in `value`, at any depth. */
export function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
