// The highest position that a subscriber has reached in each recent epoch.

import { ORIGIN, type Position } from '../wire/position.ts';

/** How many epochs are remembered. The oldest is forgotten first. */
const MAX_EPOCHS = 16;

/** A server that comes back with older data may continue a former epoch. Its messages must not be delivered twice. */
export class EpochTops {
  readonly #tops = new Map<number, number>();

  get byEpoch(): ReadonlyMap<number, number> {
    return this.#tops;
  }

  add(position: Position | undefined): void {
    if (position === undefined || position.epoch === ORIGIN.epoch) return;
    const { epoch, seq } = position;
    this.#tops.set(epoch, Math.max(seq, this.#tops.get(epoch) ?? 0));
    if (this.#tops.size > MAX_EPOCHS) this.#tops.delete(Math.min(...this.#tops.keys()));
  }
}
