// What the server's clock says now, by the local monotonic clock and what the server said before.

/** Milliseconds for which an answer is used. */
const WINDOW_MS = 60_000;
/** How much two clocks may drift apart: 0.5 ms in a second is what NTP allows itself to correct by. */
const DRIFT = 0.000_5;
/** Milliseconds by which clocks are read too coarsely to count. */
const GRAIN_MS = 1;

interface Sample {
  /** Monotonic, when the answer came. */
  readonly receivedAt: number;
  /** The server's time minus ours. */
  readonly offset: number;
  /** Half of the round trip: the answer was made at any instant of it. */
  readonly error: number;
}

/** What the server's clock says now, in Unix milliseconds, and the most by which that is wrong. */
export interface ServerNow {
  readonly time: number;
  readonly errorMs: number;
}

/** All times in milliseconds; local ones monotonic, so that somebody who sets the local clock changes nothing. */
export class ServerClock {
  #samples: Sample[] = [];
  #best: Sample | undefined;

  /**
   * The server answered what was asked at `sentAt`, received at `receivedAt`, that its clock says `serverAt`.
   *
   * @returns by how much the server's clock was set, if it was since the last answer: what was stamped before is off by that
   */
  add(sentAt: number, receivedAt: number, serverAt: number): number | undefined {
    const sample: Sample = {
      receivedAt,
      offset: serverAt - (sentAt + receivedAt) / 2,
      error: (receivedAt - sentAt) / 2,
    };
    const best = this.#best;
    const setBy = best === undefined ? 0 : sample.offset - best.offset;
    const wasSet =
      best !== undefined && Math.abs(setBy) > sample.error + errorAt(best, receivedAt) + GRAIN_MS;
    if (wasSet) this.#samples = [];
    this.#samples = this.#samples.filter((one) => receivedAt - one.receivedAt < WINDOW_MS);
    this.#samples.push(sample);
    this.#best = this.#samples.reduce((a, b) => (errorAt(b, receivedAt) <= errorAt(a, receivedAt) ? b : a));
    return wasSet ? setBy : undefined;
  }

  /** Undefined before the first answer. */
  at(monotonic: number): ServerNow | undefined {
    const best = this.#best;
    return best && { time: monotonic + best.offset, errorMs: errorAt(best, monotonic) };
  }
}

function errorAt({ receivedAt, error }: Sample, monotonic: number): number {
  return error + (monotonic - receivedAt) * DRIFT;
}
