// Settings and their origin, by precedence: command line, environment, --env-file, default.
// `node --env-file` and `docker compose --env-file` have the same precedence.

import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { RedisConnectionOptions } from 'tickbus/connection';
import { type Config, formatAddress, readConfig, withoutServiceLinks } from 'tickbus/constants';
import { UsageError } from './exit.ts';

type ConfiguredAddress = Config['ADDRESS'];

type SettingOrigin = 'flag' | 'environment' | 'env file' | 'default';

export interface Variable {
  readonly name: string;
  /** undefined if not set, so the default applies. */
  readonly value: string | undefined;
  readonly from: SettingOrigin;
  /** Origins that also set a value, which is ignored because `from` has precedence. */
  readonly overridden: readonly SettingOrigin[];
}

export interface SettingsInput {
  /** --url */
  readonly url: string | undefined;
  /** --namespace */
  readonly namespace: string | undefined;
  /** --env-file */
  readonly envFile: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** An empty variable counts as not set. */
const NAMES = [
  'REDIS_URL',
  'REDIS_HOST',
  'REDIS_PORT',
  'REDIS_DB',
  'REDIS_TLS_CA_FILE',
  'REDIS_TLS_CERT_FILE',
  'REDIS_TLS_KEY_FILE',
  'REDIS_TLS_SERVERNAME',
  'TICKBUS_NAMESPACE',
  'TICKBUS_CHANNELS',
  'MONITOR_HOST',
  'MONITOR_PORT',
  'MONITOR_ALLOWED_HOSTS',
  'MONITOR_TOKEN',
  'MONITOR_MAX_AGE_MS',
] as const;
export type VariableName = (typeof NAMES)[number];

export class CliSettings {
  readonly #variables: ReadonlyMap<string, Variable>;

  /** @throws UsageError if the file cannot be read, or the URL or the namespace is empty */
  constructor({ url, namespace, envFile, env }: SettingsInput) {
    // An empty URL usually means an unset variable in a script. Using the default would hide this mistake.
    if (url === '')
      throw new UsageError('--url is empty. Use a URL such as redis://user:password@host:6379/0.');
    if (namespace === '') throw new UsageError('--namespace is empty. Use a name such as paper, or omit it.');
    const flags: Partial<Record<VariableName, string | undefined>> = {
      REDIS_URL: url,
      TICKBUS_NAMESPACE: namespace,
    };
    const file = envFile === undefined ? {} : readEnvFile(envFile);
    const own = withoutServiceLinks(env);
    const variables = NAMES.map((name) => {
      const given: readonly [SettingOrigin, string | undefined][] = [
        ['flag', flags[name]],
        ['environment', own[name] || undefined],
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

  /** Address and credentials of Redis. @throws UsageError that names the variable or option, never its value */
  get address(): ConfiguredAddress {
    const url = this.variable('REDIS_URL');
    // The REDIS_TLS_ variables do not apply to a --url without TLS, because --url can name another server.
    const isPlainFlag = url.from === 'flag' && !/^rediss[:+]/i.test(url.value ?? '');
    const used = this.variables.filter(({ name }) => !(isPlainFlag && name.startsWith('REDIS_TLS_')));
    const values = Object.fromEntries(used.map(({ name, value }) => [name, value]));
    try {
      return readConfig(values).ADDRESS;
    } catch (error) {
      const { message } = error as Error;
      const isFlag = this.variable('REDIS_URL').from === 'flag';
      throw new UsageError(isFlag ? message.replace(/^REDIS_URL/, '--url') : message);
    }
  }

  /** undefined for none. @throws UsageError that names the variable or option */
  get namespace(): string | undefined {
    const { value, from } = this.variable('TICKBUS_NAMESPACE');
    try {
      return readConfig({ TICKBUS_NAMESPACE: value }).NAMESPACE;
    } catch (error) {
      const { message } = error as Error;
      throw new UsageError(from === 'flag' ? message.replace(/^TICKBUS_NAMESPACE/, '--namespace') : message);
    }
  }

  /** The TLS options that the variables set. @throws UsageError as `address` does */
  get certificates(): Pick<RedisConnectionOptions, 'ca' | 'cert' | 'key' | 'servername'> {
    if (this.address.certificates === undefined) return {};
    const file = (name: VariableName) => {
      const { value } = this.variable(name);
      return value === undefined ? undefined : { file: value };
    };
    return {
      ca: file('REDIS_TLS_CA_FILE'),
      cert: file('REDIS_TLS_CERT_FILE'),
      key: file('REDIS_TLS_KEY_FILE'),
      servername: this.variable('REDIS_TLS_SERVERNAME').value,
    };
  }

  /** The address as a URL. @throws UsageError as `address` does */
  get url(): string {
    const { host, db } = this.address;
    const given = this.variable('REDIS_URL').value;
    if (given !== undefined) return given;
    const address = formatAddress(this.address);
    return host.startsWith('/') ? `${address}?db=${db}` : `${address}/${db}`;
  }
}

function readEnvFile(path: string): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(
      code === 'ENOENT'
        ? `Cannot read --env-file: ${path} does not exist. Check the path.`
        : `Cannot read --env-file ${path}: ${message}`,
    );
  }
}
