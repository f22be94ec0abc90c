// The commands that were sent, and what became of each.

import type { CommandResult, Envelope } from 'tickbus';
import type { CommandRow } from '../page-protocol.ts';

/** As it was heard, of whatever type. */
type LoggedCommand = Pick<Envelope, 'message_type' | 'data' | 'sender' | 'id' | 'expires_at'>;

const MAX_COMMANDS = 500;
/** A command without a time of its own counts as unanswered after so long. */
const DEFAULT_TIMEOUT_MS = 30_000;

interface PendingResult {
  readonly id: string;
  readonly until: number;
}

/**
 * States of a row: sent -> (accepted ->)* done, rejected or failed; or sent -> unanswered when its time is over, which an answer that
 * comes all the same replaces.
 */
export class CommandLog {
  readonly #rows = new Map<number, CommandRow>();
  readonly #changed = new Set<number>();
  readonly #byId = new Map<string, number>();
  readonly #pending = new Map<number, PendingResult>();
  #next = 1;

  /** @returns the row it makes */
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
      // One that comes again is the same command: its answer belongs to the newest row.
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
    const who = bot === row.bot ? '' : `${bot}: `;
    this.#set({ ...row, state: outcome, result: `${who}${detail ?? ''}`, answeredAt: Math.round(now) });
  }

  /** Looks which commands had no answer in their time. */
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

/** `symbol AAPL, side buy, quantity 10`, without the bot, which has a place of its own. */
function describePayload({ bot: _, ...fields }: Envelope['data']): string {
  const text = Object.entries(fields)
    .map(([field, value]) => `${field} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
  return text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH - 1)}…` : text;
}
