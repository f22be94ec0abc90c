// Whether a channel still has the number of partitions for which its exclusive writer publishes.

import type { ChannelSpec } from '../../../channel/channel.ts';
import { PartitionsChangedError } from '../../../channel/partitions.ts';
import type { RedisClient } from '../client.ts';
import { channelKeys } from '../keys.ts';

/** A change of the number begins a new epoch. So the writer resumes, and learns the number before the next batch. */
export class LayoutCheck {
  readonly #channel: ChannelSpec;
  /** The recorded number of partitions, as of the last head. */
  #partitions: number | undefined;
  /** The number of batches that are being refused. Later batches wait, because one of them may be sent again. */
  #refusing = 0;

  constructor(channel: ChannelSpec, partitions: number | undefined) {
    this.#channel = channel;
    this.#partitions = partitions;
  }

  get isRefusing(): boolean {
    return this.#refusing > 0;
  }

  get isMatch(): boolean {
    const { layout = 1 } = this.#channel;
    return this.#partitions === undefined || this.#partitions === layout;
  }

  /** Returns true if the number has changed. */
  update(partitions: number | undefined): boolean {
    const isChanged = partitions !== this.#partitions;
    this.#partitions = partitions;
    return isChanged;
  }

  /** Resolves if the number is right again. @throws PartitionsChangedError if it is not */
  async refuse(client: RedisClient): Promise<void> {
    this.#refusing++;
    const { layout = 1 } = this.#channel;
    const [partitions] = await client.hmGet(channelKeys(this.#channel).head, ['partitions']).catch(() => []);
    this.#refusing--;
    if (partitions != null && partitions !== String(layout))
      throw new PartitionsChangedError(this.#channel, Number(partitions));
  }
}
