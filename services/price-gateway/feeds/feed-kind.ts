// What a kind of feed is to the gateway: its settings, their help, and how one is made.

import { z } from 'zod';
import type { Feed } from './feed.ts';

export interface FeedKind {
  /** Its line of help. */
  readonly summary: string;
  /**
   * Each field is the environment variable of its name. Its error completes the sentence "NAME must be ..." and never repeats
   * the value; its description is its line of help; with `secret: true` in its metadata, its value may appear nowhere.
   */
  readonly settings: z.ZodRawShape;
  /**
   * Makes a feed from what `settings` gave out; nothing connects. May be called again for a new one.
   *
   * @throws Error with sentences that say what to install or to mend
   */
  create(values: Readonly<Record<string, unknown>>): Promise<Feed>;
}

/** A kind of feed, its values typed by its own settings. */
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

/** The secrets among the values of a kind's settings: texts, and every text in a secret object. */
export function secretsOf(
  { settings }: FeedKind,
  values: Readonly<Record<string, unknown>>,
): readonly string[] {
  const isSecret = (schema: unknown) => schema instanceof z.ZodType && schema.meta()?.secret === true;
  return Object.entries(settings).flatMap(([name, schema]) =>
    isSecret(schema) ? textsIn(values[name]) : [],
  );
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
