// The parts of a channel that a subscriber reads: the channel itself, and those of its partitions that are needed.

import type { Channel } from '../channel/channel.ts';
import { partitionChannel } from '../channel/partition-specs.ts';
import { partitionOf } from '../channel/partitions.ts';
import type { TickbusError } from '../errors.ts';
import type { LatestValues } from '../freshness/latest-values.ts';
import type { FenceToken } from '../transport/port.ts';
import type { Position } from '../wire/position.ts';
import { neededPartitions, Part, type PartOptions } from './channel-part.ts';
import type { ChannelReader } from './channel-reader.ts';
import { earlier, sumOf } from './combined-figures.ts';
import type { Receiver } from './fan-out.ts';
import type { ServerAnswer } from './state-queries.ts';
import type { ChannelStatus } from './status.ts';
import type { Subscription } from './subscription.ts';

export interface ChannelPartsOptions
  extends Omit<PartOptions, 'since' | 'onAnswer' | 'mayDeliver' | 'onPartitions'> {
  /** The server of a part answered a query that was sent at `sentAt` (monotonic). */
  readonly onAnswer: (part: string, sentAt: number, answer: ServerAnswer) => void;
  /** Called with the name of a part that is added, and of one that is removed. `values`: only for kind `state`. */
  readonly onAdded: (part: string, values: LatestValues | undefined) => void;
  readonly onRemoved: (part: string) => void;
}

/**
 * The position from which a partition is read after a change of the number: before everything that was published. So
 * what was published before the subscriber followed is read, or reported as a gap.
 */
const BEFORE_CHANGE: Position = { epoch: 1, seq: 0 };

/**
 * The channel itself is always read. Its head shows the number of partitions and the lease, and a plain client may
 * publish on it. With one partition it is the only part.
 *
 * A change of the number closes the partitions of the old one only after the server has shown for each of them that
 * nothing more is published there, and that nothing is missing. The new ones are opened after that. So no older message
 * of a key follows a newer one. For the same reason the channel, before it is the only part, holds its messages.
 */
export class ChannelParts {
  readonly #options: ChannelPartsOptions;
  readonly #own: Part;
  /** By index. Those that a receiver needs. */
  readonly #partitions = new Map<number, Part>();
  /** The number of partitions that is followed; undefined before the server's first answer. */
  #count: number | undefined;
  #isStarted = false;
  /** Whether the channel itself waits for the end of the partitions, before it is the only part. */
  #isOwnWaiting = false;
  /** When the end of the partitions was first waited for (monotonic); undefined: their number does not change. */
  #changingSince: number | undefined;
  #reported: ChannelStatus['type'] | undefined;
  /** The counters of the partitions that were closed. */
  #closed: ChannelReader['counters'] | undefined;

  constructor(options: ChannelPartsOptions) {
    this.#options = options;
    this.#own = this.#createPart(options.channel);
  }

  /** All receivers also read the channel itself. */
  get subscriptions(): ReadonlySet<Subscription> {
    return this.#own.reader.subscriptions;
  }

  get taps() {
    return this.#own.reader.taps;
  }

  add(receiver: Receiver): void {
    this.#own.reader.add(receiver);
    for (const index of neededPartitions(receiver, this.#count ?? 1)) this.#open(index).reader.add(receiver);
  }

  remove(receiver: Receiver): void {
    for (const { reader } of this.#all) reader.remove(receiver);
    for (const [index, part] of this.#partitions) {
      if (part.reader.subscriptions.size + part.reader.taps.size === 0) this.#close(index, part);
    }
    this.#follow(false);
  }

  get mode(): ChannelReader['mode'] {
    const { mode } = this.#own.reader;
    if (mode === 'idle' || mode === 'closed') return mode;
    const isLive = !this.#isChanging && this.#all.every(({ reader }) => reader.mode === 'live');
    return isLive ? 'live' : 'recovering';
  }

  /** Undefined if the channel has several partitions, each with its own. */
  get position(): Position | undefined {
    return (this.#count ?? 1) === 1 ? this.#own.reader.position : undefined;
  }

  /** Undefined before the server's first answer. */
  get partitions(): number | undefined {
    return this.#count;
  }

  /** The token of the channel's lease at the last answer of the server; undefined if nobody held it. */
  get lease(): FenceToken | undefined {
    return this.#own.reader.lease;
  }

  get counters(): ChannelReader['counters'] {
    const open = [...this.#partitions.values()].map(({ reader }) => reader.counters);
    return [...open, ...(this.#closed ? [this.#closed] : [])].reduce(sumOf, this.#own.reader.counters);
  }

  /** The part of a key, and what the server has confirmed about it. */
  partOf(key: string) {
    const own = this.#own.reader;
    const part = this.#partOf(key);
    const { reader, name, values } = part;
    const isOwn = part === this.#own;
    return {
      name,
      values,
      isUpToDate: !this.#isChanging && reader.isUpToDate && (isOwn || own.isUpToDate),
      confirmedAt: earlier(own.confirmedAt, reader.confirmedAt),
      // A partition is published on by the holder of the channel's lease, under a lease of its own.
      lease: isOwn || reader.lease !== undefined ? own.lease : undefined,
    };
  }

  /** Where the server keeps the last value of a key, and the position that has been received there. */
  placeOf(key: string): { readonly channel: Channel; readonly position: Position | undefined } {
    const { channel, reader } = this.#partOf(key);
    return { channel, position: reader.position };
  }

  /** The keys that have a latest value. */
  *keys(): Iterable<string> {
    for (const { values } of this.#all) if (values !== undefined) yield* values.keys();
  }

  /** Rejects if the channel itself cannot be subscribed to. */
  async start(): Promise<void> {
    this.#isStarted = true;
    for (const part of this.#partitions.values()) this.#start(part);
    await this.#own.reader.start();
  }

  /** Starts one part on its new link. */
  startPart(name: string): Promise<void> {
    if (name === this.#own.name) return this.#own.reader.start();
    for (const part of this.#partitions.values()) if (part.name === name) return this.#start(part);
    return Promise.resolve();
  }

  /** @param name the part whose link is down; undefined: all */
  suspend(name: string | undefined): void {
    for (const part of this.#all) if (name === undefined || part.name === name) part.reader.suspend();
  }

  /** Resolves when the position in every part is known. Rejects if a partition cannot be subscribed to. */
  async placed(): Promise<void> {
    await this.#own.reader.placed;
    for (const { started, reader } of this.#partitions.values()) {
      await started;
      await reader.placed;
    }
  }

  get settled(): Promise<unknown> {
    return Promise.all(this.#all.map(({ reader }) => reader.settled));
  }

  checkHead(): void {
    this.#own.reader.checkHead();
  }

  /** See `ChannelReader.stop`. */
  stop(): void {
    for (const { name, reader } of this.#all) {
      reader.stop();
      this.#options.onRemoved(name);
    }
  }

  get #all(): readonly Part[] {
    return [this.#own, ...this.#partitions.values()];
  }

  #partOf(key: string): Part {
    const { channel } = this.#options;
    if (this.#count === undefined || this.#count === 1 || !channel.keyed) return this.#own;
    return this.#partitions.get(partitionOf(key, this.#count)) ?? this.#own;
  }

  #open(index: number, since?: Position): Part {
    const known = this.#partitions.get(index);
    if (known !== undefined) return known;
    const channel = partitionChannel(this.#options.channel, index, this.#count ?? 1);
    const part = this.#createPart(channel, index, since);
    this.#partitions.set(index, part);
    if (this.#isStarted) this.#start(part);
    return part;
  }

  #close(index: number, { name, reader }: Part): void {
    reader.stop();
    this.#closed = this.#closed ? sumOf(this.#closed, reader.counters) : reader.counters;
    this.#partitions.delete(index);
    this.#options.onRemoved(name);
  }

  /** A failure is reported. A lost link leads to a retry on the next connection. */
  #start(part: Part): Promise<void> {
    const { channel, onStatus } = this.#options;
    part.started = part.reader.start();
    part.started.catch((error: TickbusError) => {
      if (error.code !== 'TICKBUS_NOT_CONNECTED' && part.reader.mode !== 'closed')
        onStatus({ type: 'recovery_failed', channel: channel.name, error });
    });
    return part.started;
  }

  #createPart(channel: Channel, index?: number, since?: Position): Part {
    const { onAnswer, onAdded } = this.#options;
    const part = new Part({
      ...this.#options,
      channel,
      since,
      onStatus: (status) => this.#onStatus(status, index),
      onAnswer: (sentAt, answer) => onAnswer(channel.name, sentAt, answer),
      mayDeliver: index === undefined ? (partitions) => this.#mayOwnDeliver(partitions) : undefined,
      onPartitions: () => this.#follow(index === undefined),
    });
    onAdded(part.name, part.values);
    return part;
  }

  /** Whether the server has another number for the channel. */
  get #isChanging(): boolean {
    return this.#count !== this.#own.partitions;
  }

  /** Whether the server has shown that each partition has ended. `asks`: for the others, so not after their answers. */
  #areFinished(asks: boolean): boolean {
    this.#changingSince ??= this.#options.clock.monotonic();
    const since = this.#changingSince;
    const unfinished = [...this.#partitions.values()].filter((part) => !part.isFinished(since));
    if (asks) for (const { reader } of unfinished) reader.checkHead();
    return unfinished.length === 0;
  }

  #mayOwnDeliver(partitions: number): boolean {
    this.#isOwnWaiting = partitions === 1 && (this.#count ?? 1) !== 1 && !this.#areFinished(true);
    return !this.#isOwnWaiting;
  }

  /** Called with each answer after which nothing is missing. */
  #follow(isOwn: boolean): void {
    const was = this.#count;
    if (this.mode === 'closed') return;
    if (this.#isOwnWaiting) {
      if (this.#areFinished(false)) this.#own.reader.recover();
      return;
    }
    const isFinished = !this.#isChanging || this.#areFinished(isOwn);
    if (isFinished) this.#changingSince = undefined;
    if (!this.#isChanging) return;
    if (!isFinished) return this.#reportMode();
    for (const [index, part] of this.#partitions) this.#close(index, part);
    this.#count = this.#own.partitions;
    // With several partitions, the channel itself keeps no values.
    if (this.#count !== 1) this.#own.values?.clear();
    const since = was === undefined ? undefined : BEFORE_CHANGE;
    for (const receiver of [...this.subscriptions, ...this.taps])
      for (const index of neededPartitions(receiver, this.#count ?? 1))
        this.#open(index, since).reader.add(receiver, was === undefined);
    this.#reportMode();
  }

  #onStatus(status: ChannelStatus, index: number | undefined): void {
    const { channel, onStatus } = this.#options;
    const isMode = status.type === 'live' || status.type === 'recovering';
    if (isMode && (this.#count ?? 1) !== 1) return this.#reportMode();
    if (isMode) this.#reported = status.type;
    if (index === undefined) return onStatus(status);
    const isNumbered = status.type === 'gap' || status.type === 'forged';
    onStatus({ ...status, channel: channel.name, ...(isNumbered && { partition: index }) });
  }

  /** With several partitions, the channel is live if all its parts are. Each change is reported once. */
  #reportMode(): void {
    const { mode } = this;
    if (mode === this.#reported || (mode !== 'live' && mode !== 'recovering')) return;
    this.#reported = mode;
    const { channel, onStatus } = this.#options;
    if (mode === 'live') onStatus({ type: 'live', channel: channel.name, numbered: true });
    else onStatus({ type: 'recovering', channel: channel.name });
  }
}
