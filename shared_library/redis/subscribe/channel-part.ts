// One part of a channel that a subscriber reads: the channel itself, or one of its partitions.

import type { Channel } from '../channel/channel.ts';
import { partitionOf } from '../channel/partitions.ts';
import { LatestValues, type LatestValuesOptions } from '../freshness/latest-values.ts';
import { ORIGIN } from '../wire/position.ts';
import { ChannelReader, type ChannelReaderOptions } from './channel-reader.ts';
import type { Receiver } from './fan-out.ts';
import type { OnInvalidFrame } from './invalid-messages.ts';
import type { StateQueriesOptions } from './state-queries.ts';
import type { ChannelStatus } from './status.ts';
import { Subscription } from './subscription.ts';

export interface PartOptions
  extends Pick<ChannelReaderOptions, 'transport' | 'clock' | 'since' | 'adopted'>,
    Pick<ChannelReaderOptions['hooks'], 'onPlain'>,
    Pick<Required<LatestValuesOptions>, 'isPinned' | 'onEvicted'> {
  /** The channel, or its partition as a channel. */
  readonly channel: Channel;
  readonly onStatus: (status: ChannelStatus) => void;
  readonly onInvalid: OnInvalidFrame;
  readonly onAnswer: NonNullable<StateQueriesOptions['onAnswer']>;
  /** See `ChannelReaderHooks.mayDeliver`. `partitions`: 1 if no number is recorded for the channel. */
  readonly mayDeliver?: ((partitions: number) => boolean) | undefined;
  /** `partitions` has been read. */
  readonly onPartitions: () => void;
}

/** The share of the keys that the fullest of many partitions has, compared with the mean. */
const MAX_SKEW = 2;
const MAX_KEYS = 100_000;
const MAX_BYTES = 128 * 1024 * 1024;

export class Part {
  /** The name on the server, which is also the name of its link on a cluster. */
  readonly name: string;
  /** The channel, or its partition as a channel. */
  readonly channel: Channel;
  readonly reader: ChannelReader;
  /** The latest values of the keys of this part; undefined unless the channel is of kind `state`. */
  readonly values: LatestValues | undefined;
  /** Settles with the last attempt to subscribe. */
  started: Promise<void> = Promise.resolve();
  readonly #layout: number;
  #partitions: number | undefined;

  constructor(all: PartOptions) {
    const { channel, onAnswer, mayDeliver, onPartitions, onStatus, onInvalid, onPlain, ...options } = all;
    const { layout = 1 } = channel;
    this.#layout = layout;
    this.name = channel.name;
    this.channel = channel;
    this.values = channel.kind === 'state' ? this.#createValues(layout, options) : undefined;
    this.reader = new ChannelReader({
      ...options,
      channel,
      hooks: {
        onStatus,
        onInvalid,
        onValue: this.values?.set,
        onDistrust: () => this.values?.clear(),
        values: this.values,
        onAnswer,
        onPlain,
        mayDeliver: mayDeliver && ((recorded = layout) => mayDeliver(recorded)),
        onPartitions: (recorded = layout) => {
          this.#partitions = recorded;
          onPartitions();
        },
      },
    });
  }

  /**
   * Whether the server has shown that nothing more is published on this partition: it has another number now. Or it was
   * forgotten with the memory of the server, and nobody holds its lease, by an answer to a query after `since`.
   */
  isFinished(since: number): boolean {
    if (this.#partitions === undefined) return false;
    if (this.#partitions !== this.#layout) return true;
    const { position, lease, confirmedAt } = this.reader;
    const isForgotten = position?.epoch === ORIGIN.epoch && lease === undefined;
    return isForgotten && confirmedAt !== undefined && confirmedAt >= since;
  }

  /**
   * The number of partitions of the channel, by the last answer after which nothing of this part is missing; undefined
   * before the first.
   */
  get partitions(): number | undefined {
    return this.#partitions;
  }

  #createValues(partitions: number, { isPinned, onEvicted }: Pick<PartOptions, 'isPinned' | 'onEvicted'>) {
    const share = Math.min(1, MAX_SKEW / partitions);
    const read = (bytes: Uint8Array) => this.reader.read(bytes);
    return new LatestValues({
      read,
      isPinned,
      onEvicted,
      maxKeys: MAX_KEYS * share,
      maxBytes: MAX_BYTES * share,
    });
  }
}

/** The indexes of the partitions that a receiver reads; none if the channel itself is the only part. */
export function neededPartitions(receiver: Receiver, count: number): Iterable<number> {
  if (count === 1) return [];
  const keys = receiver instanceof Subscription ? receiver.keys : undefined;
  if (keys === undefined) return Array.from({ length: count }, (_, index) => index);
  return new Set(Array.from(keys, (key) => partitionOf(key, count)));
}
