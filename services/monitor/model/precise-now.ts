// The system's time with fractions of a millisecond, for latencies below one.

/** Where the two clocks differ by more, the system's was set, and is followed. */
const TOLERANCE_MS = 5;

let origin = performance.timeOrigin;

/** Unix milliseconds, to a microsecond or so. */
export function preciseNow(): number {
  const precise = origin + performance.now();
  const difference = Date.now() - precise;
  if (Math.abs(difference) <= TOLERANCE_MS) return precise;
  origin += difference;
  return precise + difference;
}
