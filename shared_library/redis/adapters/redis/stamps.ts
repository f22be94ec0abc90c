// What the server's clock will say when it does what is sent to it now.

import { EARLIEST_MS } from './publish-scripts.ts';

/** Answers that are looked back at, and as many as it takes at least. */
const SAMPLES = 32;
const FEWEST_SAMPLES = 4;
/** Calls that are left unstamped after a stamp was no use, and each time twice as many, up to a limit; half as many after each that was. */
const FIRST_PAUSE = 8;
const LONGEST_PAUSE = 4_096;

/**
 * What the server's clock will say when it does what is sent now: what it said before, and the time since, by the fastest of the last
 * answers. So it is early rather than late, by what a call takes longer than the fastest one. Where calls take now so long and now so
 * long, a stamp is no use, and the server's work with it is saved.
 */
export class Stamps {
  /** The server's time at an answer, less the time at which it was asked: the way there is in it. */
  readonly #offsets: number[] = [];
  #pause = 0;
  #nextPause = FIRST_PAUSE;

  /**
   * All in milliseconds.
   *
   * @param sentAt by the monotonic clock
   * @param stamp what had been expected, if anything was
   */
  answered(serverAt: number, sentAt: number, stamp?: number): void {
    if (stamp !== undefined) this.#judge(stamp, serverAt);
    this.#offsets.push(serverAt - sentAt);
    if (this.#offsets.length > SAMPLES) this.#offsets.shift();
  }

  #judge(stamp: number, serverAt: number): void {
    if (stamp > serverAt || Math.floor(serverAt) - stamp > EARLIEST_MS) {
      // Late: no answer was as fast as that call will have been. Early: this one call was slow.
      if (stamp > serverAt) this.#offsets.length = 0;
      this.#pause = this.#nextPause;
      this.#nextPause = Math.min(2 * this.#nextPause, LONGEST_PAUSE);
    } else {
      this.#nextPause = Math.max(this.#nextPause / 2, FIRST_PAUSE);
    }
  }

  /** undefined: too little is known. */
  at(monotonic: number): number | undefined {
    if (this.#pause > 0) {
      this.#pause--;
      return undefined;
    }
    if (this.#offsets.length < FEWEST_SAMPLES) return undefined;
    return Math.floor(monotonic + Math.min(...this.#offsets));
  }
}
