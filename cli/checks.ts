// Turns reported values and their thresholds into check results with a Nagios status. Pure functions.

import { isGone, type ProgramFact, programsOfBots } from '@tickbus/operator-kit/bot-programs';
import { judgedAgeMs, NOT_KEPT } from '@tickbus/operator-kit/plain-clients';
import { type BotStatus, botStatus, type Channel, type FeedStatus, feedStatus } from 'tickbus';
import { conflictText, definitionConflict } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { duration } from './duration-text.ts';
import type { StoredValue } from './stored-values.ts';

export type Status = 'ok' | 'warning' | 'critical' | 'unknown';

/** Exit codes and metric values: https://nagios-plugins.org/doc/guidelines.html */
export const STATUS_CODES: Readonly<Record<Status, number>> = { ok: 0, warning: 1, critical: 2, unknown: 3 };

export interface CheckMetric {
  readonly name: string;
  readonly ms: number;
  /** The status is warning above `warnMs`, critical above `criticalMs`. */
  readonly warnMs: number;
  readonly criticalMs: number;
}

export interface CheckResult {
  readonly status: Status;
  /** One sentence without its full stop. */
  readonly summary: string;
  readonly metrics: readonly CheckMetric[];
}

export interface CheckLimits {
  readonly warnMs?: number | undefined;
  readonly criticalMs?: number | undefined;
}

/** The most severe status, with all summaries and metrics. The most severe come first, because long output is cut. */
export function combinedResult(results: readonly CheckResult[]): CheckResult {
  const ascending = ['ok', 'warning', 'unknown', 'critical'];
  const rank = ({ status }: CheckResult) => ascending.indexOf(status);
  const sorted = [...results].sort((a, b) => rank(b) - rank(a));
  return {
    status: sorted[0]?.status ?? 'unknown',
    summary: sorted.map(({ summary }) => summary).join('; '),
    metrics: sorted.flatMap(({ metrics }) => metrics),
  };
}

export function checkLatency(ms: number, limits: CheckLimits): CheckResult {
  const metric = metricOf('latency', ms, limits, 100, 1_000);
  return { status: statusOf(metric), summary: `Redis replies in ${duration(ms)}`, metrics: [metric] };
}

/** Whether the gateway of the feed runs and sends heartbeats. `checkFeed` covers the broker connection. */
export function checkGateway(value: StoredValue, limits: CheckLimits): CheckResult {
  const status = feedIn(value);
  if (status === undefined) return invalidValue(value, 'feed status');
  const { state, holder, interval_ms = 1_000 } = status;
  const feed = nameOf(status);
  const metric = metricOf(
    `${keyOf(status)}_heartbeat`,
    value.ageMs,
    limits,
    3 * interval_ms,
    10 * interval_ms,
  );
  const gateway = holder === undefined ? `The gateway of ${feed}` : `The gateway of ${feed} (${holder})`;
  if (state === 'stopped' || state === 'stopping')
    return { status: 'critical', summary: `${gateway} is ${state}`, metrics: [metric] };
  return {
    status: statusOf(metric),
    summary: `${gateway} reported ${duration(value.ageMs)} ago`,
    metrics: [metric],
  };
}

/** Whether broker data arrives. Only the gateway knows, so without a running gateway the result is `unknown`. */
export function checkFeed(value: StoredValue, limits: CheckLimits): CheckResult {
  const status = feedIn(value);
  if (status === undefined) return invalidValue(value, 'feed status');
  const { state, detail, holder, last_frame_ago_ms } = status;
  const feed = nameOf(status);
  const gatewayStatus = checkGateway(value, {}).status;
  const gateway = holder === undefined ? 'its gateway' : `its gateway (${holder})`;
  if (gatewayStatus === 'critical') {
    const why =
      state === 'stopped' || state === 'stopping'
        ? `is ${state}`
        : `has not reported for ${duration(value.ageMs)}`;
    return { status: 'unknown', summary: `The state of ${feed} is unknown: ${gateway} ${why}`, metrics: [] };
  }
  const about = detail === undefined ? '' : `: ${detail.replace(/\.$/, '')}`;
  const byState: Partial<Record<FeedStatus['state'], Status>> = {
    live: 'ok',
    silent: 'warning',
    connecting: 'warning',
  };
  // A gateway that is overdue cannot report that the feed is down.
  const stateStatus = severer(byState[state] ?? 'critical', gatewayStatus);
  const stated =
    gatewayStatus === 'ok'
      ? `${feed} is ${state}${about}`
      : `${feed} was ${state}${about}, but ${gateway} has not reported for ${duration(value.ageMs)}`;
  if (last_frame_ago_ms === undefined) return { status: stateStatus, summary: stated, metrics: [] };
  const quietMs = last_frame_ago_ms + value.ageMs;
  const metric = metricOf(`${keyOf(status)}_quiet`, quietMs, limits, 15_000, 60_000);
  const summary = `${stated}, last frame ${duration(quietMs)} ago`;
  return { status: severer(stateStatus, statusOf(metric)), summary, metrics: [metric] };
}

/**
 * Only presence knows whether a bot is there: a status outlives its bot. So it counts as past without it. Several
 * programs of one name are a warning: each obeys the commands and trades.
 *
 * @param present what is in PRESENCE; undefined if the user may not read it
 * @param silenceMs as of `adopterSilenceMs`: undefined if nothing keeps the statuses of plain clients
 */
export function checkBot(
  value: StoredValue,
  limits: CheckLimits,
  present?: readonly ProgramFact[] | undefined,
  silenceMs?: number | undefined,
): CheckResult {
  const { data: status } = botStatus.safeParse(value.envelope.data);
  if (status === undefined) return invalidValue(value, 'bot status');
  const { bot, state, detail, instance, status_interval_ms = 2_000 } = status;
  const metric = metricOf('heartbeat', value.ageMs, limits, 3 * status_interval_ms, 10 * status_interval_ms);
  const about = detail === undefined ? '' : ` (${detail.replace(/\.$/, '')})`;
  const isPlain = value.envelope.adopted === true;
  const ago = `${duration(value.ageMs)} ago`;
  if (isGone(status, isPlain, present)) {
    const summary = `${bot} is gone: it crashed, hangs or lost its link. It reported ${state}${about} ${ago}`;
    return { status: 'critical', summary, metrics: [metric] };
  }
  const isThere = !isPlain && instance !== undefined && present !== undefined;
  const reported = `${bot}${isPlain ? ', a plain client,' : ''} reported ${state}${about} ${ago}`;
  const summary =
    isThere || (state === 'stopped' && !isPlain)
      ? `${bot} is ${state}${about}, last report ${ago}`
      : reported;
  const byState: Partial<Record<BotStatus['state'], Status>> = {
    paused: 'warning',
    stopping: 'warning',
    error: 'critical',
    stopped: 'critical',
  };
  const judgedMs = judgedAgeMs(isPlain, value.ageMs, silenceMs);
  if (judgedMs === undefined && byState[state] !== 'critical' && statusOf(metric) !== 'ok')
    return {
      status: 'unknown',
      summary: `${bot} cannot be judged: ${NOT_KEPT}. ${reported}`,
      metrics: [metric],
    };
  const severity = severer(byState[state] ?? 'ok', statusOf({ ...metric, ms: judgedMs ?? value.ageMs }));
  const programs = programsOfBots(present).get(bot) ?? 0;
  if (programs < 2) return { status: severity, summary, metrics: [metric] };
  const warning = `${programs} programs are named ${bot}, and each obeys its commands and trades`;
  return { status: severer(severity, 'warning'), summary: `${warning}; ${summary}`, metrics: [metric] };
}

/** The age of the newest stored message. Without limits, any age is ok. */
export function checkNewest(
  values: readonly StoredValue[],
  channel: string,
  limits: CheckLimits,
): CheckResult {
  if (values.length === 0)
    return { status: 'critical', summary: `No message is stored on ${channel}`, metrics: [] };
  const ageMs = values.reduce((least, value) => Math.min(least, value.ageMs), Number.POSITIVE_INFINITY);
  const metric = metricOf('newest', ageMs, limits, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const summary = `The newest message on ${channel} was published ${duration(ageMs)} ago`;
  return { status: statusOf(metric), summary, metrics: [metric] };
}

/** Undefined if the channel is defined by its writer as in `own`. */
export function checkDefinition(
  own: Channel,
  { definition = '', partitions = 1 }: { readonly definition?: string; readonly partitions?: number },
): CheckResult | undefined {
  const role = { isReader: true, partitions, ownPartitions: own.partitions };
  const conflict = definitionConflict(own, definition, role);
  if (conflict === undefined) return undefined;
  const status = conflict.severity === 'error' ? 'critical' : 'warning';
  return { status, summary: conflictText(conflict).replace(/\.$/, ''), metrics: [] };
}

function severer(a: Status, b: Status): Status {
  return STATUS_CODES[a] >= STATUS_CODES[b] ? a : b;
}

function feedIn({ envelope }: StoredValue): FeedStatus | undefined {
  return feedStatus.safeParse(envelope.data).data;
}

/** In a sentence. PRICE_DATA goes without saying. */
function nameOf({ feed, channel }: FeedStatus): string {
  return channel === undefined || channel === CHANNELS.PRICE_DATA.name ? feed : `${feed} on ${channel}`;
}

/** Unique among the feeds. */
function keyOf(status: FeedStatus): string {
  return CHANNELS.FEED_STATUS.keyOf(status) ?? status.feed;
}

/** Whether a name of the command line means this feed: its own name, or that of its channel. */
export function isFeedNamed({ envelope: { data } }: StoredValue, name: string): boolean {
  return data.feed === name || (data.channel ?? CHANNELS.PRICE_DATA.name) === name;
}

function invalidValue({ key }: StoredValue, what: string): CheckResult {
  return { status: 'unknown', summary: `The last value of ${key} is not a valid ${what}`, metrics: [] };
}

function metricOf(
  name: string,
  ms: number,
  limits: CheckLimits,
  defaultWarnMs: number,
  defaultCriticalMs: number,
): CheckMetric {
  const criticalMs = limits.criticalMs ?? Math.max(defaultCriticalMs, limits.warnMs ?? 0);
  return { name, ms, warnMs: limits.warnMs ?? Math.min(defaultWarnMs, criticalMs), criticalMs };
}

function statusOf({ ms, warnMs, criticalMs }: CheckMetric): Status {
  if (ms > criticalMs) return 'critical';
  return ms > warnMs ? 'warning' : 'ok';
}
