// Whether other programs define a channel differently than a publisher that was there first. It reads the head of the
// channel while it publishes, and leaves a complaint there if it is the one that is refused.

import type { Channel } from '../channel/channel.ts';
import { complaintConflict } from '../channel/complaint.ts';
import {
  type DefinitionConflict,
  DefinitionConflictError,
  definitionConflict,
} from '../channel/definition.ts';
import { PartitionsChangedError } from '../channel/partitions.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { Complaints } from '../transport/complaints.ts';
import type { ChannelHead, Receipt, Transport } from '../transport/port.ts';

export interface DefinitionWatchOptions {
  readonly channel: Channel;
  readonly transport: Pick<Transport, 'head' | 'complain'>;
  readonly clock: Clock;
  /** The name of the publisher. */
  readonly author: string;
  /** Called once for each other definition and program. Undefined: the head is not read. */
  readonly onConflict: ((conflict: DefinitionConflict) => void) | undefined;
}

/** Milliseconds between two reads of the head. Batches cause them, so a quiet publisher reads nothing. */
const READ_INTERVAL_MS = 10_000;
/** Others may write anything to the head, so what is remembered is limited. */
const MAX_REPORTS = 100;

export class DefinitionWatch {
  readonly #options: DefinitionWatchOptions;
  readonly #complaints: Complaints;
  readonly #reported = new Set<string>();
  #readAt: number;

  constructor(options: DefinitionWatchOptions) {
    this.#options = options;
    this.#complaints = new Complaints(options);
    this.#readAt = options.clock.monotonic();
  }

  /** Called for each batch. */
  published({ replaced }: Receipt): void {
    const { channel } = this.#options;
    if (replaced !== undefined) this.#report(definitionConflict(channel, replaced, { isReader: false }));
    this.#readIfDue();
  }

  /** Called for each batch that was refused. If a lease holder is the reason, it may have replaced the definition. */
  refused(error: unknown): void {
    const now = this.#options.clock.monotonic();
    if (error instanceof DefinitionConflictError) this.#complaints.leave(error.conflict, now);
    else if (error instanceof PartitionsChangedError)
      this.#complaints.leave({ severity: 'error', fields: ['partitions'] }, now);
    else if (error instanceof TickbusError && error.code === 'TICKBUS_FENCED') this.#readIfDue();
  }

  #readIfDue(): void {
    const { channel, transport, clock, onConflict } = this.#options;
    const now = clock.monotonic();
    // A publisher of kind `plain` may differ from what is recorded.
    if (channel.kind === 'plain' || onConflict === undefined) return;
    if (now - this.#readAt < READ_INTERVAL_MS) return;
    this.#readAt = now;
    transport.head(channel).then(
      (head) => this.#compare(head, now),
      // The next batch after the interval reads again. The link reports its own failures.
      () => {},
    );
  }

  #compare(head: ChannelHead, now: number): void {
    const { channel } = this.#options;
    const { definition, conflict, partitions = 1 } = head;
    const recorded = definition && definitionConflict(channel, definition, { isReader: false, partitions });
    if (recorded && recorded.severity === 'error') {
      this.#report(recorded);
      this.#complaints.leave(recorded, now);
    }
    if (conflict !== undefined) this.#report(complaintConflict(channel, conflict, head));
  }

  #report(conflict: DefinitionConflict | undefined): void {
    if (conflict === undefined || this.#reported.size === MAX_REPORTS) return;
    const text = `${conflict.recorded} ${conflict.fields.join()} ${conflict.by}`;
    if (this.#reported.has(text)) return;
    this.#reported.add(text);
    this.#options.onConflict?.(conflict);
  }
}
