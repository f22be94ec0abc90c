// Sends one batch of the shared writer.

import type { DefiningBatch, DefinitionEntry } from '../../definition-records.ts';
import type { FenceToken, Receipt } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { parseReceipt, partitionsChanged, publishArguments } from './shared-writer.ts';

export interface SharedBatchOptions {
  readonly token: FenceToken | undefined;
  /** Undefined: it has been recorded. */
  readonly definition: DefinitionEntry | undefined;
  /** Whether channels are sharded, as on a cluster. */
  readonly isSharded: boolean;
}

/** @throws PartitionsChangedError, or the error of the server */
export async function sendBatch(
  client: RedisClient,
  { channel, batch, known }: DefiningBatch,
  { token, definition, isSharded }: SharedBatchOptions,
): Promise<Receipt> {
  const { keys, args } = publishArguments(channel, batch, token, known, definition);
  const sent = isSharded ? client.publishShardedBatch(keys, args) : client.publishBatch(keys, args);
  const reply = await sent.catch((error: unknown) => {
    throw partitionsChanged(channel, error) ?? error;
  });
  return parseReceipt(reply, channel);
}
