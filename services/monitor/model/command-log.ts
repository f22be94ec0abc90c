// The commands and their results.

import type { CommandResult, Envelope } from 'tickbus';
import type { CommandRow } from '../page-protocol.ts';

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
 * States of a row: sent -> (accepted ->)* done, rejected or failed; or sent -> unanswered on timeout. A late result
 * replaces `unanswered`.
 */
export class CommandLog {
  readonly #rows = new Map<number, CommandRow>();
  readonly #changed = new Set<number>();
  readonly #byId = new Map<string, number>();
  readonly #pending = new Map<number, PendingResult>();
  #next = 1;

  /** Returns the new row. */
  recordCommand(message: LoggedCommand, now: number): CommandRow {
    const { id, sender, message_type: type, data, expires_at } = message;
    const row: CommandRow = {
      n: this.#next++,
      at: Math.round(now),
      sender,
      bot: String(data.bot),
      type,
      text: describePayload(data),
      ...(id !== undefined && { id }),
      state: 'sent',
    };
    if (id !== undefined) {
      // A message with a repeated id is the same command: its result belongs to the newest row.
      this.#byId.set(id, row.n);
      this.#pending.set(row.n, { id, until: expires_at ?? now + DEFAULT_TIMEOUT_MS });
    }
    this.#set(row);
    if (this.#rows.size > MAX_COMMANDS) this.#evictOldest();
    return row;
  }

  recordResult({ command_id, outcome, detail, bot }: CommandResult, now: number): void {
    const row = this.#rows.get(this.#byId.get(command_id) ?? 0);
    if (row === undefined) return;
    if (outcome !== 'accepted') this.#pending.delete(row.n);
    const prefix = bot === row.bot ? '' : `${bot}: `;
    this.#set({ ...row, state: outcome, result: `${prefix}${detail ?? ''}`, answeredAt: Math.round(now) });
  }

  /** Turns sent commands `unanswered` when their time is over. */
  expireUnanswered(now: number): void {
    for (const [n, { until }] of this.#pending) {
      if (now <= until) continue;
      this.#pending.delete(n);
      const row = this.#rows.get(n);
      if (row?.state === 'sent') this.#set({ ...row, state: 'unanswered' });
    }
  }

  /** Oldest first. */
  rows(): CommandRow[] {
    return [...this.#rows.values()];
  }

  takeChanged(): CommandRow[] {
    const changed = [...this.#changed].map((n) => this.#rows.get(n)).filter((row) => row !== undefined);
    this.#changed.clear();
    return changed;
  }

  #set(row: CommandRow): void {
    this.#rows.set(row.n, row);
    this.#changed.add(row.n);
  }

  #evictOldest(): void {
    const [oldest] = this.#rows.values();
    if (oldest === undefined) return;
    this.#rows.delete(oldest.n);
    this.#changed.delete(oldest.n);
    this.#pending.delete(oldest.n);
    if (oldest.id !== undefined && this.#byId.get(oldest.id) === oldest.n) this.#byId.delete(oldest.id);
  }
}

const MAX_TEXT_LENGTH = 200;

/** `symbol AAPL, side buy, quantity 10`. Omits the bot, which has its own column. */
function describePayload({ bot: _, ...fields }: Envelope['data']): string {
  const text = Object.entries(fields)
    .map(([field, value]) => `${field} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
  return text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH - 1)}…` : text;
}
