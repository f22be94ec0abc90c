// The options of `publish`, and their checks.

import type { Channel } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import type { OptionNames } from '../runtime/option-checks.ts';

export interface PublishOptions<T extends string = string> {
  /** The message type. Default: the channel's `defaultType`. */
  type?: T | undefined;
  /** The `sender` of the message, at most 128 characters. Default: the publisher's. */
  sender?: string | undefined;
  /** Milliseconds until a command expires (kind `command`). Default: the channel's `expiresInMs`. */
  expiresInMs?: number | undefined;
  /**
   * The id of a command (kind `command`): 1 to 128 printable ASCII characters without spaces. Publishing again under
   * the same id has no further effect while the server remembers it: until the command expires, but at least one
   * minute; 10 minutes if it never expires. Default: a new UUIDv7.
   */
  id?: string | undefined;
  /**
   * Whether this is the last message of its key for now (kind `state`). It is delivered like any other, and the server
   * then forgets the key's last value, so late joiners get none. A later message for the key sets a last value again. A
   * subscriber that misses this message reports a gap, and keeps the value it has. Default false.
   */
  endsKey?: boolean | undefined;
}

export const PUBLISH_NAMES: OptionNames<PublishOptions> = {
  type: true,
  sender: true,
  expiresInMs: true,
  id: true,
  endsKey: true,
};

/** @throws TickbusError `TICKBUS_INVALID_OPTION` if `endsKey` does not fit the channel */
export function checkedEndsKey(channel: Channel, endsKey: boolean | undefined): boolean {
  if (endsKey === undefined || endsKey === false) return false;
  if (endsKey === true && channel.kind === 'state') return true;
  const text =
    endsKey === true
      ? `endsKey removes a last value, and ${channel} keeps none: it is not a state channel. Omit it.`
      : 'endsKey must be true or false. Nothing was published.';
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'endsKey' });
}

export function checkId(id: string): void {
  if (typeof id === 'string' && /^[!-~]{1,128}$/.test(id)) return;
  const text = 'The id of a command must have 1 to 128 printable ASCII characters without spaces.';
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'id' });
}

export function rejectCommandOptions(channel: Channel, options: PublishOptions): void {
  for (const field of ['expiresInMs', 'id'] as const) {
    if (options[field] === undefined) continue;
    const text = `${field} is only for command channels, and ${channel} is not one. Omit it.`;
    throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
  }
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function checkAbove(limit: number, value: number | undefined, field: string, unit: string): void {
  if (value === undefined || (value > limit && Number.isFinite(value))) return;
  const text = `${field} is ${value}. Use a number of ${unit} above ${limit}.`;
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function checkReplicas(replicas: number | undefined): void {
  if (replicas === undefined || (Number.isInteger(replicas) && replicas >= 0)) return;
  const text = `replicas is ${replicas}. Use a whole number, 0 or above.`;
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'replicas' });
}
