// The transactions of one connection. Batches that the writers of a channel's partitions send in one turn share one.

import { ErrorReply } from 'redis';
import type { RedisClient } from '../client.ts';
import { slotRefusal } from '../error-replies.ts';
import type { PublishCommand } from '../keys.ts';
import { type Frame, publishFramesScript } from './publish-frames-script.ts';

/** Up to this number of messages, single ones are cheaper than a script that checks for plain clients. */
const MAX_SINGLE_MESSAGES = 8;
/** With this many messages a transaction is full: it blocks the server for 0.5 ms, or 1.5 with a history by key. */
const FULL_AT = 256;
/** Maximum number of UTF-16 units of the messages of several batches. It is that of one batch, see `Batch`. */
const MAX_SIZE = 256 * 1024;

/** The outcome of a batch. */
export type BatchOutcome =
  | { readonly state: 'published'; readonly receivers: number; readonly serverAt: number }
  /**
   * The fence is gone: the writer was deposed, or the server lost data. Neither this batch nor any later one is
   * executed.
   */
  | { readonly state: 'fenced' }
  /** Nothing was executed: the node does not serve the slot of the channel now. The connection is no longer fenced. */
  | { readonly state: 'elsewhere'; readonly error: unknown }
  /** Nothing was executed. Without an error, the server refused only other batches of the transaction. */
  | { readonly state: 'refused'; readonly error: ErrorReply | undefined }
  /** A part was executed. `isCounted`: the head includes the batch's numbers, so numbering can continue. */
  | { readonly state: 'partial'; readonly error: ErrorReply; readonly isCounted: boolean }
  /** The link dropped, or the reply was not that of a transaction. The head of the channel decides the outcome. */
  | { readonly state: 'unsettled'; readonly error: unknown };

/** The commands of one batch. */
export interface BatchCommands {
  /** Store the messages. */
  readonly keeping: readonly string[][];
  /** Publish the messages. The reply to the first is the number of receivers. */
  readonly publishing: () => readonly string[][];
  /** Publishes the same messages at once, to tickbus subscribers; undefined if that would cost more. */
  readonly frame: (() => Frame) | undefined;
  /** Advances the head of the channel: a command on its key. */
  readonly advance: readonly [command: string, head: string, ...args: string[]];
  /** Number of messages. */
  readonly count: number;
  /** Total size of the messages in UTF-16 units. */
  readonly size: number;
  /** The fence of the present epoch. */
  readonly fence: string;
}

export interface TransactionOptions {
  /** See `LinkSettings.isSharded`. */
  readonly isSharded: boolean;
  /** The commands that guard the next transaction were not executed, because the slot of the channel has moved. */
  readonly onUnguarded: (error: unknown) => void;
  /** The commands of the transaction have been sent. */
  readonly onSent: () => void;
}

interface Part {
  readonly commands: BatchCommands;
  readonly options: TransactionOptions;
  readonly resolve: (outcome: BatchOutcome) => void;
}

const ofClients = new WeakMap<RedisClient, Transactions>();

/**
 * All batches of a transaction are executed, or none. So a batch that the server refuses while queuing, for lack of
 * memory or of a permission, takes the others with it, whose outcome names no error. An error during the execution
 * concerns one batch.
 */
export class Transactions {
  readonly #client: RedisClient;
  #waiting: Part[] = [];

  private constructor(client: RedisClient) {
    this.#client = client;
  }

  static on(client: RedisClient): Transactions {
    const transactions = ofClients.get(client) ?? new Transactions(client);
    ofClients.set(client, transactions);
    return transactions;
  }

  /** Sends the commands in a microtask. Transactions are executed in the order of the calls. */
  execute(commands: BatchCommands, options: TransactionOptions): Promise<BatchOutcome> {
    if (this.#waiting.length === 0) queueMicrotask(() => this.#sendAll());
    return new Promise((resolve) => this.#waiting.push({ commands, options, resolve }));
  }

  /**
   * The script runs after the single messages, so two batches of one channel in a transaction could be published out of
   * order.
   */
  #sendAll(): void {
    let parts: Part[] = [];
    let [count, size] = [0, 0];
    const heads = new Set<string>();
    for (const part of this.#waiting.splice(0)) {
      const { advance, count: more, size: units } = part.commands;
      const [, head] = advance;
      if (count >= FULL_AT || (size > 0 && size + units > MAX_SIZE) || heads.has(head)) {
        void this.#send(parts);
        parts = [];
        [count, size] = [0, 0];
        heads.clear();
      }
      parts.push(part);
      count += more;
      size += units;
      heads.add(head);
    }
    if (parts.length > 0) void this.#send(parts);
  }

  async #send(parts: readonly Part[]): Promise<void> {
    const [{ options, commands }] = parts as [Part, ...Part[]];
    const layout = new TransactionLayout(
      parts.map((part) => part.commands),
      options.isSharded ? 'SPUBLISH' : 'PUBLISH',
    );
    const send = (command: string[]) => this.#client.sendCommand(command);
    const queued = [['MULTI'], ...layout.commands].map(send);
    const exec = this.#client.sendCommand<unknown[] | null>(['EXEC']);
    const guards = fenceGuard(commands.fence).map(send);
    for (const part of parts) part.options.onSent();
    const isElsewhere = (error: unknown) => options.isSharded && slotRefusal(error) !== undefined;
    for (const reply of guards)
      reply.catch((error: unknown) => isElsewhere(error) && options.onUnguarded(error));
    // If a command is rejected while queuing, EXEC fails too, but only the command's own reply has the reason.
    const refusals = new Map<number, unknown>();
    for (const [index, reply] of queued.entries())
      reply.catch((error: unknown) => refusals.set(index - AFTER_MULTI, error));
    const outcomes = await exec.then(
      (replies) => (replies === null ? { state: 'fenced' as const } : layout.parse(replies)),
      (error: unknown) => failureOf(error, refusals, layout, isElsewhere),
    );
    for (const [index, { resolve }] of parts.entries())
      resolve(Array.isArray(outcomes) ? (outcomes[index] as BatchOutcome) : outcomes);
  }
}

/** The place of a transaction's first command among the commands that are sent. */
const AFTER_MULTI = 1;

/** The outcome of all batches of a transaction whose EXEC failed, or of each. */
function failureOf(
  error: unknown,
  refusals: ReadonlyMap<number, unknown>,
  layout: TransactionLayout,
  isElsewhere: (error: unknown) => boolean,
): BatchOutcome | BatchOutcome[] {
  // In a cluster, EXEC itself is refused if the slot of a queued command has moved since.
  if (isElsewhere(error)) return { state: 'elsewhere', error };
  if (!(error instanceof ErrorReply) || !error.message.startsWith('EXECABORT'))
    return { state: 'unsettled', error };
  const replies = new Map<number, ErrorReply>();
  for (const [index, refusal] of refusals) if (refusal instanceof ErrorReply) replies.set(index, refusal);
  const [reason] = replies.values();
  if (isElsewhere(reason)) return { state: 'elsewhere', error: reason };
  return reason === undefined ? { state: 'refused', error } : layout.refused(replies);
}

/**
 * The commands between two transactions, on the fence of the epoch. WATCH aborts the next transaction if the fence
 * changes. XREAD blocks the connection forever if the fence is already gone, so that no later command is executed.
 */
function fenceGuard(fence: string): string[][] {
  return [
    ['WATCH', fence],
    ['XREAD', 'BLOCK', '0', 'STREAMS', fence, '0'],
  ];
}

/** Where the replies of each batch are. */
interface Place {
  /** Those of its own commands: storing, publishing, advance of the head. */
  readonly from: number;
  readonly to: number;
  readonly receiversAt: number;
  /** The index of its reply in that of the script; undefined if it is published as single messages. */
  readonly frame: number | undefined;
}

/** The order of the commands of a transaction: those of each batch, the script that publishes frames, the time. */
class TransactionLayout {
  readonly commands: string[][] = [];
  readonly #places: Place[] = [];
  readonly #frames: Frame[] = [];

  constructor(batches: readonly BatchCommands[], publish: PublishCommand) {
    let framed = 0;
    for (const { frame, count } of batches) if (frame !== undefined) framed += count;
    for (const { keeping, publishing, frame, advance } of batches) {
      const isFramed = frame !== undefined && framed > MAX_SINGLE_MESSAGES;
      const from = this.commands.length;
      this.commands.push(...keeping, ...(isFramed ? [] : publishing()), [...advance]);
      const place = { from, to: this.commands.length, receiversAt: from + keeping.length };
      this.#places.push({ ...place, frame: isFramed ? this.#frames.push(frame()) - 1 : undefined });
    }
    if (this.#frames.length > 0) this.commands.push(publishFramesScript(publish, this.#frames));
    this.commands.push(['TIME']);
  }

  /** @param refusals by the index of the command */
  refused(refusals: ReadonlyMap<number, ErrorReply>): BatchOutcome[] {
    const own = this.#places.map(({ from, to }) => {
      for (const [index, error] of refusals) if (from <= index && index < to) return error;
      return undefined;
    });
    // Otherwise the server refused MULTI, or a command at the end, which belongs to all batches.
    const [shared] = own.some((error) => error !== undefined) ? [] : refusals.values();
    return own.map((error) => ({ state: 'refused', error: error ?? shared }));
  }

  parse(replies: readonly unknown[]): BatchOutcome[] {
    const [seconds, micros] = replies.at(-1) as [string, string];
    const serverAt = Number(seconds) * 1_000 + Number(micros) / 1_000;
    const framed = replies.at(-2);
    return this.#places.map(({ from, to, receiversAt, frame }) => {
      const published = frame === undefined ? replies[receiversAt] : inFrames(framed, frame);
      const error = published instanceof ErrorReply ? published : firstError(replies, from, to);
      if (error === undefined) return { state: 'published', receivers: Number(published), serverAt };
      return { state: 'partial', error, isCounted: !(replies[to - 1] instanceof ErrorReply) };
    });
  }
}

function firstError(replies: readonly unknown[], from: number, to: number): ErrorReply | undefined {
  for (let index = from; index < to; index++) {
    const reply = replies[index];
    if (reply instanceof ErrorReply) return reply;
  }
  return undefined;
}

function inFrames(reply: unknown, index: number): unknown {
  return Array.isArray(reply) ? reply[index] : reply;
}
