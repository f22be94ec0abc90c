// The subscriptions of a channel or partition that begin with stored messages, until they have them.

import type { Channel } from '../channel/channel.ts';
import { parsePartitionName, partitionOf } from '../channel/partitions.ts';
import { TickbusError } from '../errors.ts';
import type { FanOut } from './fan-out.ts';
import type { DetectedGap } from './gap-detection.ts';
import { Replay, type ReplayOptions } from './replay.ts';
import type { ChannelStatus } from './status.ts';
import type { Subscription } from './subscription.ts';

export interface ReplaysOptions extends Omit<ReplayOptions, 'dispatch' | 'onGap' | 'onFailed' | 'onEnd'> {
  readonly fanOut: FanOut;
  readonly onStatus: (status: ChannelStatus) => void;
}

export class Replays {
  readonly #options: ReplaysOptions;
  readonly counters = { gaps: 0, lost: 0 };
  readonly #replays = new Map<Subscription, Replay>();

  constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  /** Holds the messages of the subscription, if it begins with stored ones. */
  add(subscription: Subscription): void {
    const { channel, fanOut } = this.#options;
    const { start } = subscription;
    if (start === undefined) return;
    const keys = keysIn(channel, subscription.keys);
    const options: ReplayOptions = {
      ...this.#options,
      dispatch: (...call) => fanOut.dispatch(...call),
      onGap: (gap) => this.#reportGap(subscription, gap),
      onFailed: (error) => this.#reportFailure(error),
      onEnd: () => {
        this.#replays.delete(subscription);
        fanOut.detours.delete(subscription);
      },
    };
    const replay = new Replay(options, subscription, start, keys);
    this.#replays.set(subscription, replay);
    fanOut.detours.set(subscription, replay);
    if (start.position === undefined || isOnePartition(channel, subscription.keys)) return;
    const { epoch, seq } = start.position;
    this.#reportFailure(severalPartitions(channel));
    this.#reportGap(subscription, {
      cause: 'epoch',
      epoch,
      from: seq + 1,
      to: undefined,
      lost: undefined,
      repaired: false,
    });
    replay.end();
  }

  remove(subscription: Subscription): void {
    this.#replays.get(subscription)?.cancel();
  }

  /** Called with each status of the reader. */
  follow({ type }: ChannelStatus): void {
    if (type === 'live') for (const replay of this.#all) replay.begin();
    if (type === 'recovery_failed') for (const replay of this.#all) replay.settle();
  }

  /** Resolves when all subscriptions have their stored messages, or a read has failed. */
  get placed(): Promise<unknown> {
    return Promise.all(this.#all.map(({ settled }) => settled));
  }

  /** Resolves when the reads in flight have been answered. */
  get settled(): Promise<unknown> {
    return Promise.all(this.#all.map(({ reading }) => reading));
  }

  /** Delivers what is held. */
  end(): void {
    for (const replay of this.#all) replay.end();
  }

  get #all(): readonly Replay[] {
    return [...this.#replays.values()];
  }

  #reportGap({ name }: Subscription, gap: DetectedGap): void {
    const { channel, onStatus } = this.#options;
    this.counters.gaps++;
    this.counters.lost += gap.lost ?? 0;
    const origin = name === undefined ? {} : { subscription: name };
    onStatus({ type: 'gap', channel: channel.name, ...origin, ...gap });
  }

  #reportFailure(error: TickbusError): void {
    const { channel, onStatus } = this.#options;
    onStatus({ type: 'recovery_failed', channel: channel.name, error });
  }
}

/** The keys that are in this channel or partition; undefined: all. */
function keysIn({ name, layout = 1 }: Channel, keys: ReadonlySet<string> | undefined): string[] | undefined {
  const index = parsePartitionName(name)?.index;
  if (keys === undefined || layout === 1) return keys && [...keys];
  return [...keys].filter((key) => partitionOf(key, layout) === index);
}

/** Whether all keys of a subscription are in one partition. */
function isOnePartition({ layout = 1 }: Channel, keys: ReadonlySet<string> | undefined): boolean {
  if (layout === 1) return true;
  return keys !== undefined && new Set(Array.from(keys, (key) => partitionOf(key, layout))).size === 1;
}

function severalPartitions({ name, layout }: Channel): TickbusError {
  const channel = parsePartitionName(name)?.channel ?? name;
  const text =
    `The channel ${channel} has ${layout} partitions, each with its own numbers, and \`from.position\` is of one. ` +
    'So the subscription begins with live messages. Use `from.positions`, or `keys` of one partition.';
  return new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'from' });
}
