// The error of a publish that would exceed the maximum number of keys with a last value on a channel.

import type { ChannelSpec } from '../channel/channel.ts';
import { MAX_CHANNEL_KEYS } from '../channel/limits.ts';
import { TickbusError } from '../errors.ts';

export const TOO_MANY_KEYS = `the batch adds a key to a channel that has ${MAX_CHANNEL_KEYS} keys`;
export const END_KEYS =
  'No message of the batch was published. Messages for existing keys are still accepted. Use fewer keys, or end ' +
  'those that are no longer needed (`publish` with `endsKey: true`).';

export function tooManyKeysError({ name }: Pick<ChannelSpec, 'name'>): TickbusError {
  return new TickbusError(
    'TICKBUS_LIMIT_EXCEEDED',
    `The publish on ${name} was rejected: ${TOO_MANY_KEYS}. ${END_KEYS}`,
  );
}
