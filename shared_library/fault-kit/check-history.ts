// Checks a whole history: the accepted messages against the handled messages and the reported gaps of each handler.

import type { Gap, Position } from 'tickbus';
import type { HandledRecord, HandlerHistory, SentRecord } from './records.ts';

/** `published` and `unknown` count each message once. The other figures are sums over all handlers. */
export interface Figures {
  /** Accepted messages, and messages of unknown outcome that a handler received. */
  published: number;
  /** Messages of unknown outcome that no handler received. */
  unknown: number;
  delivered: number;
  /** Messages replaced by a newer message of their key (conflated), as `message.conflated` reports. */
  conflated: number;
  /** Commands reported as expired. */
  expired: number;
  /** Published messages that an expecting handler did not receive, within a reported gap. */
  reported_lost: number;
  /** Published messages that an expecting handler did not receive, and that no gap reports. */
  silent_lost: number;
  duplicates: number;
  out_of_order: number;
  /** Handled messages that were not published on this channel, or were published at another position. */
  made_up: number;
  /** Gaps with a wrong count of lost messages, and messages with a wrong count of conflated messages. */
  inexact: number;
}

export interface CheckedHistory {
  readonly figures: Figures;
  /** One sentence per problem, the first 20 at most. */
  readonly problems: readonly string[];
}

const MAX_PROBLEMS = 20;

export function noFigures(): Figures {
  return {
    published: 0,
    unknown: 0,
    delivered: 0,
    conflated: 0,
    expired: 0,
    reported_lost: 0,
    silent_lost: 0,
    duplicates: 0,
    out_of_order: 0,
    made_up: 0,
    inexact: 0,
  };
}

export function addFigures(to: Figures, more: Figures): void {
  for (const name of Object.keys(more) as (keyof Figures)[]) to[name] += more[name];
}

export function checkHistory(
  sent: readonly SentRecord[],
  histories: readonly HandlerHistory[],
): CheckedHistory {
  const run = new HistoryCheck(sent, histories);
  for (const history of histories) run.check(history);
  return { figures: run.figures, problems: run.problems };
}

/** A message with a known position in its channel, and its index in the ledger. */
interface PlacedMessage extends SentRecord {
  readonly position: Position;
  readonly order: number;
}

class HistoryCheck {
  readonly figures = noFigures();
  readonly problems: string[] = [];
  readonly #sentByNumber = new Map<number, SentRecord>();
  /** The messages of each channel, sorted by position. */
  readonly #placedByChannel = new Map<string, PlacedMessage[]>();

  constructor(sent: readonly SentRecord[], histories: readonly HandlerHistory[]) {
    const arrived = new Map<number, HandledRecord>();
    for (const { seen, expired } of histories) {
      for (const message of seen) arrived.set(message.n, message);
      for (const message of expired) arrived.set(message.n, message);
    }
    sent.forEach((one, order) => {
      this.#sentByNumber.set(one.n, one);
      const isPublished = one.outcome === 'accepted' || (one.outcome === 'unknown' && arrived.has(one.n));
      if (isPublished) this.figures.published++;
      else if (one.outcome === 'unknown') this.figures.unknown++;
      // A message of unknown outcome takes its position from any handler that received it.
      const position = one.position ?? (one.outcome === 'refused' ? undefined : arrived.get(one.n)?.position);
      if (position === undefined) return;
      const channel = this.#placedByChannel.get(one.channel) ?? [];
      this.#placedByChannel.set(one.channel, channel);
      channel.push({ ...one, position, order });
    });
    for (const channel of this.#placedByChannel.values())
      channel.sort((a, b) => compare(a.position, b.position));
  }

  check(history: HandlerHistory): void {
    const { seen, expired, kind } = history;
    this.figures.delivered += seen.length;
    this.figures.expired += expired.length;
    this.#checkOrder(history);
    this.#checkOrigin(history);
    if (kind === 'plain') return;
    const missing = this.#missing(history);
    if (kind === 'state') this.#accountByKey(history, missing);
    else for (const one of missing) this.#account(history, one);
    if (kind !== 'state' && history.keys === undefined) this.#checkGaps(history);
  }

  /** Each message arrives once and in the order of the channel. */
  #checkOrder({ name, channel, seen }: HandlerHistory): void {
    const numbers = new Set<number>();
    const positions = new Set<string>();
    let last: Position | undefined;
    for (const { n, position } of seen) {
      const text = position && `${position.epoch}-${position.seq}`;
      if (numbers.has(n) || (text !== undefined && positions.has(text))) {
        this.figures.duplicates++;
        this.#problem(`${name} on ${channel} received message ${n}${text ? ` (${text})` : ''} twice`);
      }
      numbers.add(n);
      if (position === undefined || text === undefined) continue;
      positions.add(text);
      if (last !== undefined && compare(position, last) < 0) {
        this.figures.out_of_order++;
        this.#problem(`${name} on ${channel} received ${text} after ${last.epoch}-${last.seq}`);
      }
      last = position;
    }
  }

  #checkOrigin({ name, channel, seen }: HandlerHistory): void {
    for (const { n, position } of seen) {
      const sent = this.#sentByNumber.get(n);
      const isElsewhere =
        sent?.position !== undefined && (!position || compare(sent.position, position) !== 0);
      const isRight = sent?.channel === channel && sent.outcome !== 'refused' && !isElsewhere;
      if (isRight) continue;
      this.figures.made_up++;
      const fact = sent === undefined ? 'was never sent' : `was ${sent.outcome} on ${sent.channel}`;
      this.#problem(`${name} on ${channel} received message ${n}, which ${fact}`);
    }
  }

  /** The expected messages that the handler did not receive. */
  #missing({ channel, from, until, keys, seen, expired }: HandlerHistory): PlacedMessage[] {
    if (from === undefined) return [];
    const handled = new Set([...seen, ...expired].map(({ n }) => n));
    return (this.#placedByChannel.get(channel) ?? []).filter(
      ({ n, key, order, position }) =>
        order >= from &&
        !handled.has(n) &&
        (until === undefined || compare(position, until) <= 0) &&
        (keys === undefined || (key !== undefined && keys.includes(key))),
    );
  }

  #account(history: HandlerHistory, { n, position }: PlacedMessage): void {
    if (isReported(history, position)) {
      this.figures.reported_lost++;
      return;
    }
    this.figures.silent_lost++;
    const { name, channel } = history;
    this.#problem(
      `${name} on ${channel} did not receive message ${n} (${position.epoch}-${position.seq}), and no gap reports it`,
    );
  }

  /** On a `state` channel, messages between two handled messages of a key may be conflated into the second one. */
  #accountByKey(history: HandlerHistory, missing: readonly PlacedMessage[]): void {
    const missingOf = groupByKey(missing);
    const seenOf = groupByKey(history.seen);
    for (const key of new Set([...missingOf.keys(), ...seenOf.keys()])) {
      let open = missingOf.get(key) ?? [];
      for (const seen of seenOf.get(key) ?? []) {
        const before = open.filter(({ position }) => compare(position, seen.position ?? BEFORE_ALL) < 0);
        open = open.slice(before.length);
        this.#accountConflated(history, before, seen);
      }
      for (const one of open) this.#account(history, one);
    }
  }

  #accountConflated(
    history: HandlerHistory,
    before: readonly PlacedMessage[],
    { conflated, n }: HandledRecord,
  ): void {
    const unreported = before.filter(({ position }) => !isReported(history, position));
    this.figures.conflated += conflated;
    this.figures.reported_lost += before.length - unreported.length;
    // The message replaced at most `conflated` of these messages. The others are lost and not reported.
    for (const one of unreported.slice(conflated)) this.#account(history, one);
    const { from, name, channel } = history;
    if (from === 0 && conflated > before.length && !this.#hasUnknown(channel)) {
      this.figures.inexact++;
      this.#problem(
        `${name} on ${channel}: message ${n} reports ${conflated} conflated, ` +
          `but ${before.length} are missing before it`,
      );
    }
  }

  #hasUnknown(channel: string): boolean {
    return (
      this.figures.unknown > 0 ||
      [...this.#sentByNumber.values()].some((sent) => sent.channel === channel && sent.outcome === 'unknown')
    );
  }

  /** A gap that overlaps no other gap must report exactly how many messages are missing in its range. */
  #checkGaps({ name, channel, gaps, seen, expired }: HandlerHistory): void {
    const positions = new Set(
      [...seen, ...expired].map(({ position }) => `${position?.epoch}-${position?.seq}`),
    );
    const ranges = gaps.filter(isRange);
    for (const gap of ranges) {
      if (ranges.some((other) => other !== gap && overlap(gap, other))) continue;
      let unseen = 0;
      for (let seq = gap.from; seq <= gap.to; seq++) if (!positions.has(`${gap.epoch}-${seq}`)) unseen++;
      if (unseen === gap.lost) continue;
      this.figures.inexact++;
      this.#problem(
        `${name} on ${channel}: the gap ${gap.epoch}-${gap.from} to ${gap.to} reports ${gap.lost} lost, ` +
          `but ${unseen} are missing`,
      );
    }
  }

  #problem(text: string): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(text);
  }
}

const BEFORE_ALL: Position = { epoch: 0, seq: 0 };

function compare(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.seq - b.seq;
}

/** Whether a gap reports the message as missing. */
function isReported({ gaps, seen }: HandlerHistory, { epoch, seq }: Position): boolean {
  return gaps.some((gap) => {
    if (gap.repaired || gap.epoch === undefined || gap.from === undefined) return false;
    if (gap.to !== undefined) return gap.epoch === epoch && gap.from <= seq && seq <= gap.to;
    if (gap.epoch === epoch) return gap.from <= seq;
    // The handler received no message of this epoch. A later epoch proves that this epoch has ended.
    return gap.epoch < epoch && endedUnseen(gaps, seen, epoch);
  });
}

function endedUnseen(gaps: readonly Gap[], seen: readonly HandledRecord[], epoch: number): boolean {
  const last = seen.at(-1)?.position?.epoch ?? 0;
  return (
    Math.max(last, ...gaps.map((gap) => gap.epoch ?? 0)) > epoch &&
    !seen.some(({ position }) => position?.epoch === epoch)
  );
}

type NumberedGap = Gap & { readonly epoch: number; readonly from: number; readonly to: number };

function isRange(gap: Gap): gap is NumberedGap {
  return gap.epoch !== undefined && gap.from !== undefined && gap.to !== undefined;
}

function overlap(a: NumberedGap, b: NumberedGap): boolean {
  return a.epoch === b.epoch && a.from <= b.to && b.from <= a.to;
}

function groupByKey<T extends { readonly key: string | undefined }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.key ?? '');
    if (group === undefined) groups.set(item.key ?? '', [item]);
    else group.push(item);
  }
  return groups;
}
