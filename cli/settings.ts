// Where every setting comes from: the command line, then the environment, then the file of --env-file, then the default.
// The order is that of `node --env-file` and `docker compose --env-file`.

import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { type Config, readConfig } from 'tickbus/constants';
import { UsageError } from './exit.ts';

type RedisAddress = Config['ADDRESS'];

type Origin = 'flag' | 'environment' | 'env file' | 'default';

/** One variable: where its value comes from, and who else would have given one. */
export interface Variable {
  readonly name: string;
  /** undefined: not set, so the default counts. */
  readonly value: string | undefined;
  readonly from: Origin;
  /** Those that have a value too, which does not count. */
  readonly overridden: readonly Origin[];
}

export interface SettingsInput {
  /** --url */
  readonly url: string | undefined;
  /** --env-file */
  readonly envFile: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The variables that tickbus reads; an empty one counts as not set. */
const NAMES = ['REDIS_URL', 'REDIS_HOST', 'REDIS_PORT', 'REDIS_DB', 'MONITOR_TOKEN'] as const;
export type VariableName = (typeof NAMES)[number];

export class Settings {
  readonly #variables: ReadonlyMap<string, Variable>;

  /** @throws UsageError for a file that cannot be read, and an empty URL */
  constructor({ url, envFile, env }: SettingsInput) {
    // A variable of a script that was not set, say: the default is not what was meant.
    if (url === '') throw new UsageError('--url is empty. Write it as redis://user:password@host:6379/0.');
    const file = envFile === undefined ? {} : readEnvFile(envFile);
    const variables = NAMES.map((name) => {
      const given: readonly [Origin, string | undefined][] = [
        ['flag', name === 'REDIS_URL' ? url : undefined],
        ['environment', env[name] || undefined],
        ['env file', file[name] || undefined],
      ];
      const [first, ...others] = given.filter(([, value]) => value !== undefined);
      const [from, value] = first ?? ['default', undefined];
      return [name, { name, value, from, overridden: others.map(([origin]) => origin) }] as const;
    });
    this.#variables = new Map(variables);
  }

  variable(name: VariableName): Variable {
    return this.#variables.get(name) as Variable;
  }

  get variables(): readonly Variable[] {
    return [...this.#variables.values()];
  }

  /** Where Redis is, with the credentials. @throws UsageError that names the variable or option, and repeats no value */
  get address(): RedisAddress {
    const values = Object.fromEntries(this.variables.map(({ name, value }) => [name, value]));
    try {
      return readConfig(values).ADDRESS;
    } catch (error) {
      const { message } = error as Error;
      const isFlag = this.variable('REDIS_URL').from === 'flag';
      throw new UsageError(isFlag ? message.replace(/^REDIS_URL/, '--url') : message);
    }
  }

  /** The same as one URL. @throws UsageError as `address` does */
  get url(): string {
    const { host, port, db } = this.address;
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    return this.variable('REDIS_URL').value ?? `redis://${authority}/${db}`;
  }
}

function readEnvFile(path: string): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(
      code === 'ENOENT' ? `There is no file ${path}. Check --env-file.` : `--env-file ${path}: ${message}`,
    );
  }
}
