// What an exclusive writer gets from its lease.

import type { ChannelSpec } from '../../../channel/channel.ts';
import type { TickbusError } from '../../../errors.ts';
import type { RedisClient } from '../client.ts';

export interface ExclusiveWriterOptions {
  readonly channel: ChannelSpec;
  /** See `LinkSettings.isSharded`. */
  readonly isSharded: boolean;
  /** See `WriterConnection.fence`. */
  readonly fence: () => string | undefined;
  /** The state of the connection is unknown or wrong, so the link must reconnect. */
  readonly onUntrusted: (client: RedisClient, error: unknown) => void;
  /** The server rejected a whole batch. */
  readonly onRefusal: (client: RedisClient, error: unknown) => void;
  /** The error of a batch that was rejected: nothing of it was published. */
  readonly refusedError: (error: unknown) => TickbusError;
  /** The error of a batch that may have been published. */
  readonly unknownError: (reason: string) => TickbusError;
  /** The error of a batch that was published, but not confirmed by replicas. */
  readonly unconfirmedError: (reason: string) => TickbusError;
  /** The error of a batch that was never executed, and is not sent again. */
  readonly notSentError: (reason: string) => TickbusError;
}
