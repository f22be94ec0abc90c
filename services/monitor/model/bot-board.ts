// Every bot that was heard of. A bot that says nothing any more turns overdue, and stays.

import type { BotStatus, MessageOf } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';
import type { BotRow } from '../page-protocol.ts';
import { KeyedRows } from './keyed-rows.ts';

type BotStatusMessage = MessageOf<typeof CHANNELS.BOT_STATUS>;

/** What was last told to a bot. */
type LastCommand = NonNullable<BotRow['lastCommand']>;

export interface BotChange {
  readonly bot: string;
  /** How it went on: another state, overdue, or heard again. */
  readonly change: { readonly from: string | undefined; readonly to: string } | 'overdue' | 'back';
  readonly detail?: string;
}

/** For bots that do not say when their next status comes. */
const DEFAULT_INTERVAL_MS = 5_000;
/** Intervals without a status after which a bot is overdue. */
const MISSED_INTERVALS = 2.5;
const MAX_BOTS = 1_000;

export class BotBoard {
  readonly #rows = new KeyedRows<BotRow>(MAX_BOTS);
  readonly #status = new Map<string, BotStatus>();
  readonly #commands = new Map<string, LastCommand>();
  readonly #onChange: (change: BotChange) => void;

  constructor(onChange: (change: BotChange) => void) {
    this.#onChange = onChange;
  }

  /** @param heardAt when it was told, by our clock; for a kept value that is before now */
  recordStatus({ data }: BotStatusMessage, heardAt: number): void {
    const { bot, state, detail } = data;
    const before = this.#rows.get(bot);
    const row = rowOf(data, heardAt, this.#commands.get(bot));
    if (!this.#rows.set(bot, row)) return;
    this.#status.set(bot, data);
    if (before?.state !== state)
      this.#onChange({
        bot,
        change: { from: before?.state, to: state },
        ...(detail !== undefined && { detail }),
      });
    else if (before.overdue) this.#onChange({ bot, change: 'back' });
  }

  /** A command was sent to a bot. */
  recordCommand(bot: string, command: LastCommand): void {
    if (this.#commands.size >= MAX_BOTS && !this.#commands.has(bot)) return;
    this.#commands.set(bot, command);
    const row = this.#rows.get(bot);
    if (row !== undefined) this.#rows.set(bot, { ...row, lastCommand: command });
  }

  /**
   * Looks who is overdue.
   *
   * @param heardSince when the link came back; undefined while it is down. What was not heard until then is nobody's fault
   */
  markOverdue(now: number, heardSince: number | undefined): void {
    if (heardSince === undefined) return;
    for (const row of this.#rows.all()) {
      if (row.overdue || hasStopped(row.state)) continue;
      const interval = this.#status.get(row.bot)?.status_interval_ms ?? DEFAULT_INTERVAL_MS;
      const silentFor = now - Math.max(row.heardAt, heardSince);
      if (silentFor <= Math.max(interval * MISSED_INTERVALS, MIN_OVERDUE_MS)) continue;
      this.#rows.set(row.bot, { ...row, overdue: true });
      this.#onChange({ bot: row.bot, change: 'overdue' });
    }
  }

  rows(): BotRow[] {
    return this.#rows.all();
  }

  takeChanged(): BotRow[] {
    return this.#rows.takeChanged();
  }
}

/** Below this a busy machine would make bots look dead. */
const MIN_OVERDUE_MS = 1_000;

/** It has said good-bye: nothing more is expected of it. */
function hasStopped(state: string): boolean {
  return state === 'stopped';
}

function rowOf(status: BotStatus, heardAt: number, lastCommand: LastCommand | undefined): BotRow {
  const { bot, state, detail, started_at, subscriptions, behind, pnl, position } = status;
  return {
    bot,
    state,
    heardAt: Math.round(heardAt),
    overdue: false,
    ...(detail !== undefined && { detail }),
    ...(started_at !== undefined && { startedAt: started_at }),
    ...(subscriptions !== undefined && { subscriptions }),
    ...(behind !== undefined && { behind }),
    ...(pnl !== undefined && { pnl }),
    ...(position !== undefined && { position }),
    ...(lastCommand !== undefined && { lastCommand }),
  };
}
