// Message filters: --type, --key, --sender and --where, combined with AND.

import type { Channel } from 'tickbus';
import { printable } from 'tickbus/admin';
import { knownChannel } from './channel-lookup.ts';
import { UsageError } from './exit.ts';
import { jsonOf, type WireMessage } from './wire-message.ts';

export interface FilterOptions {
  readonly type?: readonly string[];
  readonly key?: readonly string[];
  readonly sender?: readonly string[];
  readonly where?: readonly string[];
}

export type MessageFilter = (message: WireMessage) => boolean;

/** @throws UsageError for a malformed --where, and for --key on a channel without keys */
export function filterFrom(options: FilterOptions, channels: readonly string[]): MessageFilter {
  const tests: MessageFilter[] = [];
  const { type, key, sender, where = [] } = options;
  if (type) tests.push(oneOf(type, ({ envelope }) => envelope?.message_type));
  if (sender) tests.push(oneOf(sender, ({ envelope }) => envelope?.sender));
  if (key) {
    const keyed = keyedChannels(channels);
    tests.push(oneOf(key, ({ channel, envelope }) => envelope && keyed.get(channel)?.keyOf(envelope.data)));
  }
  for (const condition of where) tests.push(fieldTest(condition));
  return (message) => tests.every((test) => test(message));
}

function keyedChannels(names: readonly string[]): ReadonlyMap<string, Channel> {
  const keyed = names.map((name): [string, Channel] => {
    const channel = knownChannel(name);
    if (channel?.keyed) return [name, channel];
    if (channel === undefined)
      throw new UsageError(
        `${printable(name)} is not a known channel, so --key cannot be used with it. ` +
          'Use --where field=value, or name a module that defines it in TICKBUS_CHANNELS.',
      );
    throw new UsageError(`${name} has no keys, so --key cannot be used with it. Use --where field=value.`);
  });
  return new Map(keyed);
}

function oneOf(globs: readonly string[], value: (message: WireMessage) => unknown): MessageFilter {
  const patterns = globs.map(globToRegExp);
  return (message) => {
    const text = value(message);
    return typeof text === 'string' && patterns.some((pattern) => pattern.test(text));
  };
}

function fieldTest(condition: string): MessageFilter {
  const equals = condition.indexOf('=');
  if (equals < 1) {
    throw new UsageError(
      `--where "${condition}" is not field=value. Use for example --where symbol=BTC* or --where position.AAPL=10.`,
    );
  }
  const path = condition.slice(0, equals).split('.');
  const pattern = globToRegExp(condition.slice(equals + 1));
  return ({ envelope }) => {
    const value = valueAt(envelope?.data, path);
    if (value === undefined) return false;
    return pattern.test(typeof value === 'object' ? (jsonOf(value) ?? '') : String(value));
  };
}

function valueAt(data: unknown, path: readonly string[]): unknown {
  let value = data;
  for (const field of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
    value = (value as Record<string, unknown>)[field];
  }
  return value;
}

/** `*` matches any text, `?` one character. */
export function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/\*+/g, '*')
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'su');
}
