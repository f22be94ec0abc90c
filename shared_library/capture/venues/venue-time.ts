// Reads the times of venues.

/** RFC 3339. `Date.parse` also accepts other texts, such as "5". */
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]/;

/** Unix milliseconds of RFC 3339 text or of a timestamp of msgpack; any other value unchanged, for the check. */
export function unixMsOf(time: unknown): unknown {
  const ms = typeof time === 'string' && RFC_3339.test(time) ? Date.parse(time) : dateOf(time)?.getTime();
  return ms === undefined || Number.isNaN(ms) ? time : ms;
}

/** The official Alpaca client decodes a timestamp of msgpack to an object with this method. */
function dateOf(time: unknown): Date | undefined {
  if (typeof time !== 'object' || time === null || !('toDate' in time)) return undefined;
  return typeof time.toDate === 'function' ? (time.toDate() as Date) : undefined;
}
