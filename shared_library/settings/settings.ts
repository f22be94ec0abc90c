// Reads the settings of a program: a Zod schema for each variable, whose description is its line in `--help`.

import { REDIS_URL_FORMS, withoutServiceLinks } from 'tickbus/constants';
import { z } from 'zod';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Invalid settings. The message has one line for each, and never contains a value. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * Reads the settings of a program without arguments. Returns `'help'` for `--help`. An empty variable counts as not
 * set.
 *
 * @param program completes "... accepts --help only", for example `the monitor`
 * @param args command-line arguments, without the program
 * @throws SettingsError
 */
export function readEnvironment<Shape extends z.ZodRawShape>(
  program: string,
  shape: Shape,
  args: readonly string[],
  env: Environment,
): z.infer<z.ZodObject<Shape>> | 'help' {
  if (args.some((arg) => arg === '--help' || arg === '-h')) return 'help';
  if (args.length > 0)
    throw new SettingsError(
      `Unknown argument: ${program} accepts --help only. Set environment variables instead; --help lists them.`,
    );
  // Kubernetes sets MONITOR_PORT=tcp://... for a service called monitor.
  const own = withoutServiceLinks(env);
  return settingsOf(shape, (name) => own[name] || undefined);
}

/**
 * @param given the text of a setting; undefined if it is not set
 * @param sourceOf the name of a setting in an error. Default: its own
 * @throws SettingsError
 */
export function settingsOf<Shape extends z.ZodRawShape>(
  shape: Shape,
  given: (name: string) => string | undefined,
  sourceOf?: (name: string) => string,
): z.infer<z.ZodObject<Shape>> {
  const { data, errors } = parseSettings(shape, given, sourceOf);
  if (data === undefined) throw new SettingsError(errors.join('\n'));
  return data;
}

/** Like `settingsOf`, for programs that add errors of their own. Without `data` there are errors. */
export function parseSettings<Shape extends z.ZodRawShape>(
  shape: Shape,
  given: (name: string) => string | undefined,
  sourceOf: (name: string) => string = (name) => name,
): { readonly data: z.infer<z.ZodObject<Shape>> | undefined; readonly errors: readonly string[] } {
  const texts = Object.keys(shape).map((name) => [name, given(name)]);
  const { data, error } = z.object(shape).safeParse(Object.fromEntries(texts));
  const errors = error?.issues.map(
    ({ path: [name], message }) => `${sourceOf(String(name))} must be ${message}.`,
  );
  return { data, errors: [...new Set(errors)] };
}

/** Width of the column of names in `--help`. */
const WIDTH = 22;

/** A line of `--help` for each setting. */
export function helpLines(shape: z.ZodRawShape): string {
  const describe = (schema: unknown) => (schema instanceof z.ZodType ? (schema.description ?? '') : '');
  return Object.entries(shape)
    .map(([name, schema]) => helpLine(name, describe(schema)))
    .join('\n');
}

/** The lines of `--help` for the variables that the library reads. */
export const REDIS_HELP = [
  helpLine('REDIS_URL', REDIS_URL_FORMS),
  '  REDIS_HOST, REDIS_PORT, REDIS_DB   address of Redis in parts (default 127.0.0.1, 6379, 0)',
  helpLine(
    'TICKBUS_NAMESPACE',
    'namespace of all channels; desks of different namespaces never hear each other (default none)',
  ),
].join('\n');

function helpLine(name: string, description: string): string {
  return `  ${name.padEnd(WIDTH)} ${description.replaceAll('\n', `\n${' '.repeat(WIDTH + 3)}`)}`;
}
