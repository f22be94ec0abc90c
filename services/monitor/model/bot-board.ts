// The state of every bot. A bot whose status fails to arrive becomes overdue and stays in the list.

import type { BotStatus, MessageOf } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';
import type { BotRow } from '../page-protocol.ts';
import { BoundedEntries } from './bounded-entries.ts';
import { KeyedRows } from './keyed-rows.ts';
import { rowName, rowSentence } from './row-text.ts';

type BotStatusMessage = MessageOf<typeof CHANNELS.BOT_STATUS>;

/** The last command sent to a bot. */
type LastCommand = NonNullable<BotRow['lastCommand']>;

/** The programs that report under one name. */
interface Reporter {
  /** Status interval, milliseconds. */
  readonly intervalMs: number;
  /** By instance, the one of the newest status last: earlier commands were not sent to it. Unix milliseconds. */
  readonly startedAt: Map<string, number>;
}

export interface BotChange {
  readonly bot: string;
  /** A new state, `overdue` if the status failed to arrive, or `back` if a status arrived after that. */
  readonly change: { readonly from: string | undefined; readonly to: string } | 'overdue' | 'back';
  readonly detail?: string;
}

/** Assumed for bots that do not send `status_interval_ms`. */
const DEFAULT_INTERVAL_MS = 5_000;
/** A bot is overdue after this many intervals without a status. */
const MISSED_INTERVALS = 2.5;
const MAX_BOTS = 1_000;
/** Instances of one name that are remembered, former ones included. */
const MAX_INSTANCES = 10;

/** Maximum number of subscriptions, and of positions, that the page shows for a bot. */
const MAX_LISTED = 10;

export class BotBoard {
  readonly #rows = new KeyedRows<string, BotRow>();
  readonly #reporters = new BoundedEntries<Reporter>(MAX_BOTS, (bot) => this.#rows.delete(bot));
  /** The last command, by bot, including bots that have not sent a status yet. */
  readonly #commands = new BoundedEntries<LastCommand>(MAX_BOTS);
  readonly #onChange: (change: BotChange) => void;

  constructor(onChange: (change: BotChange) => void) {
    this.#onChange = onChange;
  }

  /** Bots dropped because there were too many. */
  get dropped(): number {
    return this.#reporters.dropped;
  }

  /**
   * @param heardAt when the status was published, by the local clock; earlier than now for a snapshot
   * @param now when the status was received
   */
  recordStatus({ data, seq }: BotStatusMessage, heardAt: number, now = heardAt): void {
    const { state, status_interval_ms: intervalMs = DEFAULT_INTERVAL_MS } = data;
    const bot = rowName(data.bot);
    const before = this.#rows.get(bot);
    const startedAt = this.#reporters.get(bot)?.startedAt ?? new Map<string, number>();
    const since = startOf(data, before, startedAt);
    const command = this.#commands.get(bot);
    // An earlier command was sent to a predecessor of this name.
    const own = command !== undefined && command.at > since ? command : undefined;
    const row = {
      ...rowOf(bot, data, heardAt, own),
      ...(seq === undefined && { isPlain: true as const }),
      ...(before?.copies !== undefined && { copies: before.copies }),
    };
    this.#reporters.set(bot, { intervalMs, startedAt }, now);
    this.#rows.set(bot, row);
    if (before?.state !== state)
      this.#onChange({
        bot,
        change: { from: before?.state, to: state },
        ...(row.detail !== undefined && { detail: row.detail }),
      });
    else if (before.overdue) this.#onChange({ bot, change: 'back' });
  }

  /** Keeps the last command sent to a bot, even if the bot has not sent a status yet. */
  recordCommand(bot: string, command: LastCommand): void {
    this.#commands.set(bot, command, command.at);
    const row = this.#rows.get(bot);
    if (row !== undefined) this.#rows.set(bot, { ...row, lastCommand: command });
  }

  /**
   * Marks overdue bots. The time while the Redis link was down does not count, because no status could arrive.
   *
   * @param connectedSince when the link was last restored; undefined while it is down
   */
  markOverdue(now: number, connectedSince: number | undefined): void {
    if (connectedSince === undefined) return;
    for (const row of this.#rows.values()) {
      if (row.overdue || hasStopped(row.state)) continue;
      const interval = this.#reporters.get(row.bot)?.intervalMs ?? DEFAULT_INTERVAL_MS;
      const silentFor = now - Math.max(row.heardAt, connectedSince);
      if (silentFor <= Math.max(interval * MISSED_INTERVALS, MIN_OVERDUE_MS)) continue;
      this.#rows.set(row.bot, { ...row, overdue: true });
      this.#onChange({ bot: row.bot, change: 'overdue' });
    }
  }

  /** @param programs the number of programs that report, by the name of the bot */
  markCopies(programs: ReadonlyMap<string, number>): void {
    const counts = new Map([...programs].map(([name, count]) => [rowName(name), count]));
    for (const row of this.#rows.values()) {
      const count = counts.get(row.bot) ?? 0;
      const copies = count > 1 ? count : undefined;
      if (copies === row.copies) continue;
      const { copies: _, ...others } = row;
      this.#rows.set(row.bot, copies === undefined ? others : { ...others, copies });
    }
  }

  rows(): BotRow[] {
    return this.#rows.all();
  }

  takeChanged(): BotRow[] {
    return this.#rows.takeChanged();
  }

  /** Names of the rows dropped since the previous call. */
  takeRemoved(): string[] {
    return this.#rows.takeRemoved();
  }
}

/** Minimum silence of an overdue bot, so that scheduling delays on a busy machine do not make bots overdue. */
const MIN_OVERDUE_MS = 1_000;

/**
 * When the instance of a status started. Several instances can report under one name in turn, so `startedAt` keeps the
 * time of each. A status without an instance is of the one that reported last.
 */
function startOf(
  { instance, started_at }: BotStatus,
  before: BotRow | undefined,
  startedAt: Map<string, number>,
): number {
  const id = instance ?? started_at?.toString() ?? [...startedAt.keys()].at(-1) ?? '';
  const since = startedAt.get(id) ?? Math.max(before?.heardAt ?? 0, started_at ?? 0);
  startedAt.delete(id);
  startedAt.set(id, since);
  const [oldest] = startedAt.keys();
  if (startedAt.size > MAX_INSTANCES && oldest !== undefined) startedAt.delete(oldest);
  return since;
}

/** A stopped bot sends no further status. */
function hasStopped(state: string): boolean {
  return state === 'stopped';
}

function rowOf(
  bot: string,
  status: BotStatus,
  heardAt: number,
  lastCommand: LastCommand | undefined,
): BotRow {
  const { state, detail, instance, started_at, subscriptions, behind, pnl, position } = status;
  return {
    bot,
    state,
    heardAt: Math.round(heardAt),
    overdue: false,
    ...(detail !== undefined && { detail: rowSentence(detail) }),
    ...(instance !== undefined && { instance: rowName(instance) }),
    ...(started_at !== undefined && { startedAt: started_at }),
    ...(subscriptions !== undefined && { subscriptions: shortened(subscriptions) }),
    ...(behind !== undefined && { behind }),
    ...(pnl !== undefined && { pnl }),
    ...(position !== undefined && { position: shortenedPosition(position) }),
    ...(lastCommand !== undefined && { lastCommand }),
  };
}

function shortened(subscriptions: readonly string[]): string[] {
  const shown = subscriptions.slice(0, MAX_LISTED).map(rowName);
  const more = subscriptions.length - shown.length;
  return more > 0 ? [...shown, `${more} more`] : shown;
}

function shortenedPosition(position: NonNullable<BotStatus['position']>): NonNullable<BotRow['position']> {
  if (typeof position === 'number') return position;
  const entries = Object.entries(position);
  const shown = entries
    .slice(0, MAX_LISTED)
    .map(([symbol, quantity]) => [rowName(symbol), quantity] as const);
  return {
    ...Object.fromEntries(shown),
    ...(entries.length > MAX_LISTED && { '…': entries.length - MAX_LISTED }),
  };
}
