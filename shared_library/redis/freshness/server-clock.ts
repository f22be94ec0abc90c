// Estimates the server's clock from its answers and the local monotonic clock.

/** Milliseconds for which a sample is used. */
const WINDOW_MS = 60_000;
/** The maximum drift between two clocks: 0.5 ms in a second, the maximum rate at which NTP corrects a clock. */
const MAX_DRIFT = 0.000_5;
/** The resolution of the clocks in milliseconds. A smaller difference does not prove that a clock was set. */
const RESOLUTION_MS = 1;

interface ClockSample {
  /** When the answer was received, by the monotonic clock. */
  readonly receivedAt: number;
  /** The server's time minus the monotonic time. */
  readonly offset: number;
  /** Half of the round trip: the server read its clock at an unknown instant within it. */
  readonly error: number;
}

/** The present time of the server's clock, in Unix milliseconds, and its maximum error. */
export interface ServerNow {
  readonly time: number;
  readonly errorMs: number;
}

/** All times in milliseconds. Local times are monotonic, so setting the local clock has no effect. */
export class ServerClock {
  #samples: ClockSample[] = [];
  #best: ClockSample | undefined;

  /**
   * Adds an answer of the server, whose clock showed `serverAt`. The query was sent at `sentAt` and answered at
   * `receivedAt`.
   *
   * @returns by how much the server's clock was set forward (or back, if negative) since the last answer; add this to
   *   earlier timestamps. Undefined if the clock was not set
   */
  add(sentAt: number, receivedAt: number, serverAt: number): number | undefined {
    const sample: ClockSample = {
      receivedAt,
      offset: serverAt - (sentAt + receivedAt) / 2,
      error: (receivedAt - sentAt) / 2,
    };
    const best = this.#best;
    const setBy = best === undefined ? 0 : sample.offset - best.offset;
    const wasSet =
      best !== undefined && Math.abs(setBy) > sample.error + errorAt(best, receivedAt) + RESOLUTION_MS;
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

function errorAt({ receivedAt, error }: ClockSample, monotonic: number): number {
  return error + (monotonic - receivedAt) * MAX_DRIFT;
}

/** A timestamp in the future contradicts the estimated server clock, so its age is unknown. */
export function ageOf(stamp: number | undefined, now: ServerNow | undefined): number {
  if (stamp === undefined || now === undefined) return Number.POSITIVE_INFINITY;
  const ago = now.time - stamp;
  return ago < -(now.errorMs + 1) ? Number.POSITIVE_INFINITY : Math.max(0, ago);
}
