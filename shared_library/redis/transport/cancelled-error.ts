// The error of a read whose caller has cancelled it.

import type { ChannelSpec } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';

export function cancelledError({ name }: ChannelSpec): TickbusError {
  return new TickbusError(
    'TICKBUS_CLOSED',
    `The read of ${name} was cancelled by its caller. Its result is not needed.`,
  );
}
