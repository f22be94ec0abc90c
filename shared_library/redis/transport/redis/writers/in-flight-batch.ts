// The batches in flight of an exclusive writer, and the one that may be the reason why its link drops.

import type { TickbusError } from '../../../errors.ts';
import type { Outgoing, Receipt } from '../../port.ts';
import { type BatchPosition, lastSeq } from './plain-batch.ts';
import type { TimedConfirmation } from './replica-wait.ts';

/**
 * A batch that was next to be executed in this many consecutive link drops is not sent again, because it may cause the
 * drops. With a limit of two, a link that is cut every 50 ms loses messages on a busy machine.
 */
const MAX_DROPS = 3;

export const DROPS_LINKS =
  `the link dropped ${MAX_DROPS} times when this batch was the next to be executed, so it is not sent again. ` +
  'Publish smaller messages, or raise client-query-buffer-limit';

export const OTHERS_REFUSED =
  'it shared a transaction with messages of another partition, which the server refused. Retry';

export interface InFlightBatch extends BatchPosition {
  readonly batch: readonly Outgoing[];
  readonly confirmation: TimedConfirmation | undefined;
  readonly resolve: (receipt: Receipt | undefined) => void;
  readonly reject: (error: TickbusError) => void;
  /**
   * Set if this batch was not executed. `fenced`: the fence stopped it or an earlier one. `elsewhere`: its node does
   * not serve the channel now, so it can be sent again. `overtaken`: as `elsewhere`, but a later batch was published.
   */
  unexecuted?: 'fenced' | 'elsewhere' | 'overtaken';
}

/**
 * Whether the batch is sent again in another epoch: it was not executed, and no later batch was.
 *
 * @param isRerouted whether the number of partitions has changed, which is why the fence stopped batches
 */
export function isResent({ unexecuted }: InFlightBatch, isRerouted: boolean): boolean {
  return unexecuted === 'elsewhere' || (isRerouted && unexecuted === 'fenced');
}

export class DropSuspect {
  /** The batch that was next when the link dropped, and the number of consecutive drops. */
  #suspect: { readonly batch: readonly Outgoing[]; readonly drops: number } | undefined;

  /** The link has dropped with these batches in flight, of which the server has executed those up to `seq`. */
  dropped(inFlight: readonly InFlightBatch[], seq: number): void {
    const next = inFlight.find((sent) => lastSeq(sent, sent.batch) > seq);
    if (next === undefined) this.#suspect = undefined;
    else if (next.batch === this.#suspect?.batch)
      this.#suspect = { ...this.#suspect, drops: this.#suspect.drops + 1 };
    else this.#suspect = { batch: next.batch, drops: 1 };
  }

  isPoison({ batch }: InFlightBatch): boolean {
    return batch === this.#suspect?.batch && this.#suspect.drops === MAX_DROPS;
  }
}
