// The commands and their results.

import type { CommandResult, Envelope } from 'tickbus';
import type { CommandRow } from '../page-protocol.ts';
import { KeyedRows } from './keyed-rows.ts';
import { rowName, rowSentence } from './row-text.ts';

/** A command of any type. */
type LoggedCommand = Pick<Envelope, 'message_type' | 'data' | 'sender' | 'id' | 'expires_at'>;

const MAX_COMMANDS = 500;
/** Time to wait for the result of a command without `expires_at`. */
const DEFAULT_TIMEOUT_MS = 30_000;

interface PendingResult {
  readonly id: string;
  readonly until: number;
}

/**
 * States of a row: sent -> (accepted ->)* done, rejected, expired or failed; or sent -> unanswered on timeout. A late
 * result replaces `unanswered`.
 */
export class CommandLog {
  readonly #rows = new KeyedRows<number, CommandRow>();
  readonly #byId = new Map<string, number>();
  readonly #pending = new Map<number, PendingResult>();
  #next = 1;

  /** Rows dropped because there were too many. */
  get dropped(): number {
    return this.#next - 1 - this.#rows.size;
  }

  /** Returns the new row. */
  recordCommand(message: LoggedCommand, now: number): CommandRow {
    const { data, expires_at } = message;
    const id = message.id === undefined ? undefined : rowName(message.id);
    const row: CommandRow = {
      n: this.#next++,
      at: Math.round(now),
      sender: rowName(message.sender),
      bot: typeof data.bot === 'string' ? rowName(data.bot) : '',
      type: rowName(message.message_type),
      text: describePayload(data),
      ...(id !== undefined && { id }),
      state: 'sent',
    };
    if (id !== undefined) {
      // A message with a repeated id is the same command: its result belongs to the newest row.
      this.#byId.set(id, row.n);
      this.#pending.set(row.n, { id, until: expires_at ?? now + DEFAULT_TIMEOUT_MS });
    }
    this.#rows.set(row.n, row);
    if (this.#rows.size > MAX_COMMANDS) this.#evictOldest();
    return row;
  }

  recordResult({ command_id, outcome, detail = '', ...result }: CommandResult, now: number): void {
    const row = this.#rows.get(this.#byId.get(rowName(command_id)) ?? 0);
    if (row === undefined) return;
    if (outcome !== 'accepted') this.#pending.delete(row.n);
    const bot = rowName(result.bot);
    const text = rowSentence(bot === row.bot ? detail : `${bot}: ${detail}`);
    this.#rows.set(row.n, { ...row, state: outcome, result: text, answeredAt: Math.round(now) });
  }

  /** Marks sent commands as `unanswered` after their timeout. */
  expireUnanswered(now: number): void {
    for (const [n, { until }] of this.#pending) {
      if (now <= until) continue;
      this.#pending.delete(n);
      const row = this.#rows.get(n);
      if (row?.state === 'sent') this.#rows.set(n, { ...row, state: 'unanswered' });
    }
  }

  /** Oldest first. */
  rows(): CommandRow[] {
    return this.#rows.all();
  }

  takeChanged(): CommandRow[] {
    return this.#rows.takeChanged();
  }

  /** Numbers of the rows dropped since the previous call. */
  takeRemoved(): number[] {
    return this.#rows.takeRemoved();
  }

  #evictOldest(): void {
    const [oldest] = this.#rows.values();
    if (oldest === undefined) return;
    this.#rows.delete(oldest.n);
    this.#pending.delete(oldest.n);
    if (oldest.id !== undefined && this.#byId.get(oldest.id) === oldest.n) this.#byId.delete(oldest.id);
  }
}

/** `symbol AAPL, side buy, quantity 10`. Omits the bot, which has its own column. */
function describePayload({ bot: _, ...fields }: Envelope['data']): string {
  const described = Object.entries(fields).map(
    ([field, value]) => `${field} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return rowSentence(described.join(', '));
}
