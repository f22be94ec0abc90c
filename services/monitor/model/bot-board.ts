// The state of every bot. A bot whose status fails to arrive becomes overdue and stays in the list.

import type { BotStatus, MessageOf } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';
import type { BotRow } from '../page-protocol.ts';
import { KeyedRows } from './keyed-rows.ts';

type BotStatusMessage = MessageOf<typeof CHANNELS.BOT_STATUS>;

/** The last command sent to a bot. */
type LastCommand = NonNullable<BotRow['lastCommand']>;

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

export class BotBoard {
  readonly #rows = new KeyedRows<BotRow>(MAX_BOTS);
  readonly #status = new Map<string, BotStatus>();
  readonly #commands = new Map<string, LastCommand>();
  readonly #onChange: (change: BotChange) => void;

  constructor(onChange: (change: BotChange) => void) {
    this.#onChange = onChange;
  }

  /** @param heardAt when the status was published, by the local clock; earlier than now for a snapshot */
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

  /** Keeps the last command sent to a bot, even if the bot has not sent a status yet. */
  recordCommand(bot: string, command: LastCommand): void {
    if (this.#commands.size >= MAX_BOTS && !this.#commands.has(bot)) return;
    this.#commands.set(bot, command);
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
    for (const row of this.#rows.all()) {
      if (row.overdue || hasStopped(row.state)) continue;
      const interval = this.#status.get(row.bot)?.status_interval_ms ?? DEFAULT_INTERVAL_MS;
      const silentFor = now - Math.max(row.heardAt, connectedSince);
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

/** Minimum silence of an overdue bot, so that scheduling delays on a busy machine do not make bots overdue. */
const MIN_OVERDUE_MS = 1_000;

/** A stopped bot sends no further status. */
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
