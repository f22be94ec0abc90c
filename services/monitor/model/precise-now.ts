// System time with sub-millisecond resolution, for latencies below 1 ms.

/** A larger difference means that the system clock was set; the precise clock then follows it. */
const TOLERANCE_MS = 5;

let origin = performance.timeOrigin;

/** Unix milliseconds with a resolution of about a microsecond. */
export function preciseNow(): number {
  const precise = origin + performance.now();
  const difference = Date.now() - precise;
  if (Math.abs(difference) <= TOLERANCE_MS) return precise;
  origin += difference;
  return precise + difference;
}
