// `tickbus config`: each setting and its origin, with secrets masked.

import { readVariables } from '@tickbus/monitor/config';
import { formatAddress } from 'tickbus/constants';
import type { CliSettings, Variable, VariableName } from '../cli-settings.ts';
import type { Context } from '../context.ts';
import { table } from '../table.ts';
import { type DefineVerb, examples } from '../verb.ts';

interface SettingRow {
  readonly setting: string;
  readonly value: string | number | boolean | null;
  /** `flag`, `environment`, `env file`, `default`, or the rule for colour. */
  readonly from: string;
  /** The option or variable that sets the value; null for a default. */
  readonly by: string | null;
  /** Origins and variables that also set a value, which is ignored. */
  readonly overridden: readonly string[];
}

export const define: DefineVerb = (command, bind) => {
  command
    .option('--json', 'one JSON object, keyed by setting')
    .addHelpText(
      'after',
      `\nPrecedence: --url and --namespace, the environment, --env-file, the default.
Secrets are shown as ***.\n${examples(
        ['tickbus config', 'each effective value and its origin'],
        ['tickbus --url redis://127.0.0.1:6380 config --json', 'for a program'],
      )}`,
    )
    .action(bind(config));
};

async function config({ settings, terminal }: Context, { json }: { readonly json?: boolean }): Promise<void> {
  const rows = [
    ...redisRows(settings),
    namespaceRow(settings),
    channelsRow(settings),
    ...monitorRows(settings),
    colorRow(terminal.hasColor),
  ];
  if (json) {
    const bySetting = rows.map(({ setting, ...rest }) => [setting, rest]);
    return terminal.line(JSON.stringify(Object.fromEntries(bySetting)));
  }
  const lines = table(
    ['SETTING', 'VALUE', 'FROM'],
    rows.map(({ setting, value, from, by, overridden }) => {
      const over = overridden.length > 0 ? `, over ${overridden.join(' and ')}` : '';
      return [
        setting,
        value === null ? '-' : String(value),
        `${from}${by === null ? '' : ` (${by})`}${over}`,
      ];
    }),
  );
  for (const line of lines) terminal.line(line);
}

/** A URL sets every part of the address; REDIS_HOST, REDIS_PORT and REDIS_DB are then ignored. */
function redisRows(settings: CliSettings): SettingRow[] {
  const { host, port, db, username, password, tls, cluster, sentinel } = settings.address;
  const url = settings.variable('REDIS_URL');
  const part = (setting: string, value: SettingRow['value'], name?: VariableName): SettingRow => {
    const variable = name && settings.variable(name);
    if (url.value === undefined) return rowOf(setting, value, variable);
    const ignored = variable?.value === undefined ? [] : [`${variable.name} (${variable.from})`];
    const row = rowOf(setting, value, url);
    return { ...row, overridden: [...row.overridden, ...ignored] };
  };
  const masked = (secret: string | undefined) => (secret === undefined ? null : MASK);
  const places =
    cluster === undefined && sentinel === undefined
      ? [part('redis.host', host, 'REDIS_HOST'), part('redis.port', port, 'REDIS_PORT')]
      : [part('redis.address', formatAddress(settings.address))];
  const sentinels =
    sentinel === undefined
      ? []
      : [
          part('redis.sentinel_user', sentinel.username ?? null),
          part('redis.sentinel_password', masked(sentinel.password)),
        ];
  return [
    ...places,
    part('redis.db', db, 'REDIS_DB'),
    part('redis.user', username ?? null),
    part('redis.password', masked(password)),
    ...sentinels,
    part('redis.tls', tls),
  ];
}

function namespaceRow(settings: CliSettings): SettingRow {
  return rowOf('namespace', settings.namespace ?? null, settings.variable('TICKBUS_NAMESPACE'));
}

function channelsRow(settings: CliSettings): SettingRow {
  const module = settings.variable('TICKBUS_CHANNELS');
  return rowOf('channels', module.value ?? null, module);
}

/** As given: `tickbus monitor` checks them. */
function monitorRows(settings: CliSettings): SettingRow[] {
  const { MONITOR_HOST, MONITOR_PORT, MONITOR_MAX_AGE_MS } = readVariables({});
  const row = (setting: string, name: VariableName, byDefault: SettingRow['value']) => {
    const variable = settings.variable(name);
    return rowOf(setting, variable.value ?? byDefault, variable);
  };
  const token = settings.variable('MONITOR_TOKEN');
  return [
    row('monitor.host', 'MONITOR_HOST', MONITOR_HOST),
    row('monitor.port', 'MONITOR_PORT', MONITOR_PORT),
    row('monitor.allowed_hosts', 'MONITOR_ALLOWED_HOSTS', null),
    rowOf('monitor.token', token.value === undefined ? null : MASK, token),
    row('monitor.max_age_ms', 'MONITOR_MAX_AGE_MS', MONITOR_MAX_AGE_MS),
  ];
}

function colorRow(hasColor: boolean): SettingRow {
  return { setting: 'color', value: hasColor, from: 'terminal, NO_COLOR', by: null, overridden: [] };
}

function rowOf(setting: string, value: SettingRow['value'], variable?: Variable): SettingRow {
  if (variable?.value === undefined) return { setting, value, from: 'default', by: null, overridden: [] };
  const { name, from, overridden } = variable;
  return { setting, value, from, by: from === 'flag' ? (FLAGS[name] ?? null) : name, overridden };
}

const MASK = '***';
/** The options that set a variable. */
const FLAGS: Readonly<Record<string, string>> = { REDIS_URL: '--url', TICKBUS_NAMESPACE: '--namespace' };
