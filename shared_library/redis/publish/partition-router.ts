// Routes the messages of one channel to the batchers of its partitions.

import type { Channel } from '../channel/channel.ts';
import { partitionSpecs } from '../channel/partition-specs.ts';
import { PartitionsChangedError, partitionOf } from '../channel/partitions.ts';
import { TickbusError } from '../errors.ts';
import { senderOf } from '../transport/definition-records.ts';
import type { Fence, FenceToken, Outgoing, Transport } from '../transport/port.ts';
import type { Published } from './batch.ts';
import { Batcher, type BatcherOptions } from './batcher.ts';

export interface PartitionRouterOptions extends Omit<BatcherOptions, 'channel' | 'reroute' | 'partition'> {
  readonly channel: Channel;
  readonly transport: Pick<Transport, 'publish' | 'head' | 'setPartitions'>;
}

/**
 * With a lease, its holder has decided the number of partitions. Without one:
 *
 * - If the channel defines the number, the first publisher of an unused channel records it. A channel with another
 *   number rejects all messages.
 * - Else messages are routed for one partition, until the server rejects them and names the number that it has. The
 *   rejected messages are then routed again, in order and before later ones.
 */
export class PartitionRouter {
  readonly #options: PartitionRouterOptions;
  /** Of the present number of partitions, by index. They are created when a message needs them. */
  #batchers: (Batcher | undefined)[] = [];
  /** Those of former numbers that have not settled yet. */
  readonly #former = new Set<Batcher>();
  #count = 1;
  /** Settles when messages can be routed; undefined: now. */
  #ready: Promise<void> | undefined;
  #isRecorded: boolean;

  constructor(options: PartitionRouterOptions) {
    this.#options = options;
    const { partitions = 1 } = options.channel;
    this.#isRecorded = options.lease !== undefined || partitions === 1;
    if (options.lease === undefined) this.#count = partitions;
  }

  get channel(): Channel {
    return this.#options.channel;
  }

  /** The token that messages are currently published under. */
  get fence(): FenceToken | undefined {
    return this.#options.lease?.token;
  }

  /** Whether exclusive writers publish, which have their own links. */
  get hasWriter(): boolean {
    const { lease } = this.#options;
    return lease !== undefined && (lease.writer !== undefined || lease.partitions !== undefined);
  }

  /** The number of partitions for which messages are routed now. */
  get layout(): number {
    return this.#count;
  }

  /** The latest known epoch in which a message with this key was published; undefined before the first. */
  epochOf({ key }: Outgoing): number | undefined {
    return this.#batchers[partitionOf(key, this.#count)]?.epoch;
  }

  /** Adds a message that was accepted under `fence`, unless that token has been lost since. */
  addAccepted(message: Outgoing, fence: FenceToken | undefined): Promise<Published> {
    if (fence !== this.fence) return this.#batcher(0).rejectFenced();
    return this.add(message);
  }

  add(message: Outgoing): Promise<Published> {
    if (!this.#isRecorded) this.#waitFor(() => this.#record(message));
    if (this.#ready !== undefined) return this.#ready.then(() => this.#route(message));
    return this.#route(message);
  }

  /** Resolves when every added message has settled. */
  async settled(): Promise<void> {
    await this.#ready?.catch(() => {});
    const present = this.#batchers.filter((batcher) => batcher !== undefined);
    await Promise.all([...present, ...this.#former].map((batcher) => batcher.settled()));
  }

  #route(message: Outgoing): Promise<Published> {
    const { lease } = this.#options;
    if (lease !== undefined) this.#change(lease.partitions?.length ?? 1);
    return this.#batcher(partitionOf(message.key, this.#count)).add(message);
  }

  #batcher(index: number): Batcher {
    let batcher = this.#batchers[index];
    if (batcher === undefined) {
      const { channel, lease } = this.#options;
      const spec = partitionSpecs(channel, this.#count)[index] ?? channel;
      const follows = channel.partitions === undefined && lease === undefined;
      batcher = new Batcher({
        ...this.#options,
        channel: spec,
        partition: this.#count === 1 ? undefined : index,
        lease: lease && (this.#count === 1 ? lease : new PartitionFence(lease, index)),
        reroute: follows ? (rejected) => this.#reroute(rejected) : undefined,
      });
      this.#batchers[index] = batcher;
    }
    return batcher;
  }

  #change(count: number): void {
    if (count === this.#count) return;
    for (const batcher of this.#batchers) {
      if (batcher === undefined) continue;
      this.#former.add(batcher);
      batcher.settled().then(() => this.#former.delete(batcher));
    }
    this.#batchers = [];
    this.#count = count;
  }

  /** Messages that are added from now on wait for `action`, and keep their order. */
  #waitFor(action: () => Promise<void>): Promise<void> {
    if (this.#ready !== undefined) return this.#ready;
    const ready = action();
    this.#ready = ready;
    // Runs before the callbacks of the messages that wait, and nothing runs between those.
    const end = () => {
      this.#ready = undefined;
    };
    ready.then(end, end);
    return ready;
  }

  /** @throws PartitionsChangedError if the channel has another number */
  async #record(message: Outgoing): Promise<void> {
    const { channel, transport } = this.#options;
    const present = await transport.setPartitions(channel, this.#count, {
      isFirst: true,
      program: senderOf([message]),
    });
    if (present !== this.#count) {
      const error = new PartitionsChangedError({ ...channel, layout: this.#count }, present);
      this.#options.watch?.refused(error);
      throw error;
    }
    this.#isRecorded = true;
  }

  /** The rejected messages come first, because the batcher passes them on before anything else can be added. */
  #reroute(rejected: Outgoing): Promise<Published> {
    return this.#waitFor(() => this.#follow()).then(() => this.#route(rejected));
  }

  /** A partition learns a new number before the channel itself, whose number counts. */
  async #follow(): Promise<void> {
    const { channel, transport } = this.#options;
    const { partitions = 1 } = await transport.head(channel);
    if (partitions === this.#count) throw changingError(channel);
    this.#change(partitions);
  }
}

function changingError({ name }: Channel): TickbusError {
  const text = `Nothing was published on ${name}: its number of partitions is being changed. Retry.`;
  return new TickbusError('TICKBUS_NOT_SENT', text);
}

/** The right to publish on one partition, while the lease of the channel is held. */
class PartitionFence implements Fence {
  readonly #lease: Fence;
  readonly #index: number;

  constructor(lease: Fence, index: number) {
    this.#lease = lease;
    this.#index = index;
  }

  get channel() {
    return this.#partition?.channel;
  }

  get token() {
    return this.#lease.token === undefined ? undefined : this.#partition?.token;
  }

  get writer() {
    return this.#partition?.writer;
  }

  confirm(): void {
    this.#lease.confirm();
    this.#partition?.confirm();
  }

  get #partition(): Fence | undefined {
    return this.#lease.partitions?.[this.#index];
  }
}
