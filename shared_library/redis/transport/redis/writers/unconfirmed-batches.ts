// The batches of an exclusive writer that the server has published, and replicas have not confirmed yet.

import { ErrorReply } from 'redis';
import type { RedisClient } from '../client.ts';
import { ReplicaWait, reasonOf, type TimedConfirmation, tooFew } from './replica-wait.ts';

export const LEASE_LOST = 'the lease was lost before replicas confirmed it';

interface UnconfirmedBatch {
  readonly confirmation: TimedConfirmation;
  readonly resolve: () => void;
  readonly reject: (reason: string) => void;
}

/**
 * If the link drops, the WAIT of a batch has no reply. `moveTo` then repeats it on the next connection, if the server
 * has lost no data.
 */
export class UnconfirmedBatches {
  readonly #batches = new Set<UnconfirmedBatch>();
  readonly #onSettled: () => void;

  /** @param onSettled called after each batch */
  constructor(onSettled: () => void) {
    this.#onSettled = onSettled;
  }

  get size(): number {
    return this.#batches.size;
  }

  /** @param count the number of replicas that confirm it, from a WAIT behind the batch */
  add(batch: UnconfirmedBatch, count: Promise<number>): void {
    this.#batches.add(batch);
    count.then(
      (replicas) => {
        const isConfirmed = replicas >= batch.confirmation.replicas;
        this.#settle(batch, isConfirmed ? undefined : tooFew(replicas, batch.confirmation));
      },
      (error: unknown) => {
        if (error instanceof ErrorReply) this.#settle(batch, reasonOf(error));
      },
    );
  }

  moveTo(client: RedisClient): void {
    for (const batch of this.#batches) this.add(batch, ReplicaWait.on(client).confirm(batch.confirmation));
  }

  rejectAll(reason: string): void {
    for (const batch of this.#batches) this.#settle(batch, reason);
  }

  #settle(batch: UnconfirmedBatch, failure: string | undefined): void {
    if (!this.#batches.delete(batch)) return;
    if (failure === undefined) batch.resolve();
    else batch.reject(failure);
    this.#onSettled();
  }
}
