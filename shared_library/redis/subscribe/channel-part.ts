// One part of a channel that a subscriber reads: the channel itself, or one of its partitions.

import type { Channel } from '../channel/channel.ts';
import { LatestValues, type LatestValuesOptions } from '../freshness/latest-values.ts';
import { ChannelReader, type ChannelReaderOptions } from './channel-reader.ts';
import type { OnInvalidFrame } from './invalid-messages.ts';
import type { ChannelStatus } from './status.ts';

export interface PartOptions
  extends Pick<ChannelReaderOptions, 'transport' | 'clock' | 'since'>,
    Pick<Required<LatestValuesOptions>, 'isPinned' | 'onEvicted'> {
  /** The channel, or its partition as a channel. */
  readonly channel: Channel;
  readonly onStatus: (status: ChannelStatus) => void;
  readonly onInvalid: OnInvalidFrame;
  readonly onAnswer: (sentAt: number, serverAt: number) => void;
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
  readonly reader: ChannelReader;
  /** The latest values of the keys of this part; undefined unless the channel is of kind `state`. */
  readonly values: LatestValues | undefined;
  /** Settles with the last attempt to subscribe. */
  started: Promise<void> = Promise.resolve();
  #partitions: number | undefined;

  constructor({ channel, onAnswer, mayDeliver, onPartitions, onStatus, onInvalid, ...options }: PartOptions) {
    const { layout } = channel;
    this.name = channel.name;
    this.values = channel.kind === 'state' ? this.#createValues(layout ?? 1, options) : undefined;
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
        mayDeliver: mayDeliver && ((recorded = layout ?? 1) => mayDeliver(recorded)),
        onPartitions: (recorded = layout ?? 1) => {
          this.#partitions = recorded;
          onPartitions();
        },
      },
    });
  }

  /**
   * The number of partitions of the channel, by the last answer after which nothing of this part is missing; undefined
   * before the first. If it is another number than the part was created for, nothing more is published on the part.
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
