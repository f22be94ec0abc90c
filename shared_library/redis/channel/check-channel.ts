// Rejects values that are not channels, such as the name of a channel, and invalid options of a channel.

import { TickbusError } from '../errors.ts';
import { checkOptionNames, describe } from '../runtime/option-checks.ts';
import { printable } from '../runtime/printable.ts';

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is a result of `defineChannel` */
export function checkChannel(channel: unknown): void {
  if (typeof (channel as { keyOf?: unknown } | undefined)?.keyOf === 'function') return;
  const what = typeof channel === 'string' ? `the string "${printable(channel, 128)}"` : describe(channel);
  const advice = 'Pass a channel, as in CHANNELS.PRICE_DATA, or the result of defineChannel().';
  throw new TickbusError('TICKBUS_INVALID_OPTION', `The channel is ${what}, so nothing was done. ${advice}`, {
    field: 'channel',
  });
}

/**
 * The options of channels of all kinds. An option that does not apply to the kind of the channel has no effect, except
 * `framing: 'batch'` of a `command` channel, which is rejected.
 */
const NAMES = {
  kind: true,
  messages: true,
  key: true,
  gateway: true,
  maxQuietMs: true,
  adopt: true,
  history: true,
  expiresInMs: true,
  answers: true,
  framing: true,
  defaultType: true,
  partitions: true,
} as const;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` for an unknown option, or a `key` that is no string and no function */
export function checkChannelOptions(name: string, options: { readonly key?: unknown }): void {
  checkOptionNames(`The channel "${name}"`, options, NAMES);
  const { key } = options;
  if (key === undefined || typeof key === 'string' || typeof key === 'function') return;
  const text = `The key of the channel "${name}" is ${describe(key)}. Use the name of a field, or a function.`;
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'key' });
}
