// By which age a bot that is a plain client is judged: its status gets older, too, when nobody is there to keep it.

import type { FeedStatus } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { ProgramFact } from './bot-programs.ts';

/** Why an old status of a plain client says nothing about it, as the end of a clause. */
export const NOT_KEPT = 'nothing keeps the statuses of plain clients (no gateway, no monitor)';

/** Heartbeats that a gateway may miss. */
const MISSED_HEARTBEATS = 3;
const DEFAULT_HEARTBEAT_MS = 1_000;
/** The name of the monitor in PRESENCE. */
const MONITOR = 'monitor';

export interface ReportedFeed {
  readonly status: FeedStatus;
  /** Milliseconds since the status was published. */
  readonly ageMs: number;
}

/** Whether the gateway missed too many heartbeats. */
export function isSilent({ status: { interval_ms = DEFAULT_HEARTBEAT_MS }, ageMs }: ReportedFeed): boolean {
  return ageMs > MISSED_HEARTBEATS * interval_ms;
}

/**
 * Milliseconds since the last sign of life of an adopter: a monitor in PRESENCE, or a gateway that reports on
 * FEED_STATUS. Undefined if none is alive. A gateway within another program counts, although it adopts nothing, because
 * its status looks the same; a standby and other adopters do not count.
 */
export function adopterSilenceMs(
  feeds: readonly ReportedFeed[],
  programs: readonly ProgramFact[] | undefined = [],
): number | undefined {
  const isAdopter = ({ name, subscribes }: ProgramFact) =>
    name === MONITOR && subscribes.includes(CHANNELS.BOT_STATUS.name);
  if (programs.some(isAdopter)) return 0;
  const reporting = feeds.filter((feed) => !isStopped(feed) && !isSilent(feed));
  return reporting.length === 0 ? undefined : Math.min(...reporting.map(({ ageMs }) => ageMs));
}

/**
 * The time for which a bot was silent while its status would have been heard, in milliseconds. Undefined for a plain
 * client without a live adopter: then its age says nothing.
 */
export function judgedAgeMs(
  isPlain: boolean,
  ageMs: number,
  silenceMs: number | undefined,
): number | undefined {
  if (!isPlain) return ageMs;
  return silenceMs === undefined ? undefined : Math.max(0, ageMs - silenceMs);
}

function isStopped({ status: { state } }: ReportedFeed): boolean {
  return state === 'stopped' || state === 'stopping';
}
