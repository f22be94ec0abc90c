// Sends commands for the page, and replies with the bot's answer; disabled if no token is configured. The channel's
// schema validates each command. AUDIT contains one record for each attempt with the right token; other attempts are
// counted, and one record reports many.

import {
  type Audit,
  type Clock,
  type Logger,
  type MessageType,
  systemClock,
  TickbusError,
  type TradeCommands,
} from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { AskError, type AskErrorCode, type RedisPublisher } from 'tickbus/publisher';
import { z } from 'zod';
import type { CommandResponse } from '../api-protocol.ts';
import { rowName } from '../model/row-text.ts';
import { RefusedRequests } from './refused-requests.ts';
import { MAX_BODY_BYTES } from './server-limits.ts';
import { TokenCheck } from './token-check.ts';

export interface Reply {
  readonly status: 200 | 400 | 401 | 403 | 404 | 409 | 413 | 429 | 502 | 503 | 504;
  readonly body: CommandResponse;
}

export interface Caller {
  /** IP address of the client. */
  readonly address: string;
  /** Authorization header. */
  readonly authorization: string | undefined;
}

export interface CommandEndpointOptions {
  /** Undefined: nobody may send commands. */
  readonly token: string | undefined;
  /** TRADE_COMMANDS with its own types, which the compiler does not know. */
  readonly channel: TradeCommands;
  readonly publisher: RedisPublisher;
  readonly logger: Logger;
  /** Milliseconds in which a bot must answer. */
  readonly answerMs: number;
  readonly clock?: Clock | undefined;
}

const request = z.object({ type: z.string(), data: z.record(z.string(), z.unknown()) });

type CommandType = MessageType<TradeCommands>;
/** Maximum characters of an audit record's detail. */
const MAX_DETAIL_LENGTH = 1_000;

export class CommandEndpoint {
  readonly #token: TokenCheck | undefined;
  readonly #channel: TradeCommands;
  readonly #publisher: RedisPublisher;
  readonly #logger: Logger;
  readonly #answerMs: number;
  readonly #refused: RefusedRequests;

  constructor({ token, channel, publisher, logger, answerMs, clock = systemClock }: CommandEndpointOptions) {
    this.#token = token === undefined ? undefined : new TokenCheck(token, clock);
    this.#channel = channel;
    this.#publisher = publisher;
    this.#logger = logger;
    this.#answerMs = answerMs;
    this.#refused = new RefusedRequests((entry) => this.#publishAudit({ tool: 'monitor', ...entry }), clock);
  }

  /** Returns undefined if the caller may send commands, else the reply. Call it before reading the request's body. */
  async authorize({ address, authorization }: Caller): Promise<Reply | undefined> {
    const rejection = this.#rejectionOf(authorization, address);
    if (rejection !== undefined) await this.#refused.add(address, rejection.body.message);
    return rejection;
  }

  /** Audits a request to send a command that was rejected before its token was checked. */
  async recordRejected(address: string, reason: string): Promise<void> {
    await this.#refused.add(address, reason);
  }

  /** The reply to an authorized request whose body is too large to be read. */
  rejectLarge(caller: Caller): Promise<Reply> {
    return this.#reject(
      caller,
      413,
      `The command is larger than ${MAX_BODY_BYTES / 1_024} KiB: it was not sent.`,
    );
  }

  /** Sends a command of an authorized caller. @param body the parsed request; undefined if it is not JSON */
  async send(body: unknown, caller: Caller): Promise<Reply> {
    const { data: command, success } = request.safeParse(body);
    if (success && Object.hasOwn(this.#channel.messages, command.type))
      return this.#publish(command.type as CommandType, command.data, caller);
    return this.#reject(
      caller,
      400,
      'Invalid command, not sent. Send { "type": ..., "data": { "bot": ... } } with a type of TRADE_COMMANDS.',
    );
  }

  /** Publishes a record of the refused requests that no record contains yet. */
  close(): Promise<void> {
    return this.#refused.close();
  }

  async #reject(caller: Caller, status: 400 | 413, message: string): Promise<Reply> {
    await this.#audit(caller, { action: 'send_command', outcome: 'failed', detail: message });
    return reply(status, message);
  }

  async #publish(type: CommandType, data: Record<string, unknown>, caller: Caller): Promise<Reply> {
    const channel = this.#channel;
    // `rowName` makes the name valid for the schema of AUDIT, so that every attempt can be recorded.
    const bot = typeof data.bot === 'string' ? rowName(data.bot) : '';
    const about = { action: 'send_command', channel: channel.name, message_type: type, bot } as const;
    let audited: Promise<boolean> | undefined;
    const onPublished = ({ id: command_id }: { readonly id?: string | undefined }) => {
      const ids = command_id === undefined ? {} : { command_id };
      audited ??= this.#audit(caller, { ...about, outcome: 'sent', ...ids, detail: JSON.stringify(data) });
    };
    const options = { type, timeoutMs: this.#answerMs, onPublished };
    const answered = async (status: Reply['status'], message: string, id: string | undefined) => {
      // An answer can arrive before Redis confirms the publish.
      onPublished({ id });
      return reply(status, (await audited) ? message : `${message} ${UNAUDITED}`, id);
    };
    try {
      // Reconnects if the connection has failed permanently, for example after a rejected password.
      await this.#publisher.connect();
      // `ask` validates the data against the schema; the error names the field.
      const { outcome, detail = '', command_id } = await this.#publisher.ask(channel, data as never, options);
      return answered(200, `${bot}: ${outcome}. ${detail}`.trim(), command_id);
    } catch (error) {
      const status = error instanceof AskError ? ASK_STATUS[error.code] : undefined;
      if (error instanceof AskError && (error.code === 'TICKBUS_ABSENT' || error.code === 'TICKBUS_NOT_SENT'))
        audited ??= this.#audit(caller, { ...about, outcome: 'failed', detail: error.message });
      if (error instanceof AskError && status !== undefined)
        return answered(status, error.message, error.messageId);
      const isTickbusError = error instanceof TickbusError;
      // After an unexpected error it is not known whether the command was sent.
      const isUnknown = !isTickbusError || error.code === 'TICKBUS_OUTCOME_UNKNOWN';
      await this.#audit(caller, {
        ...about,
        outcome: isUnknown ? 'unknown' : 'failed',
        detail: error instanceof Error ? error.message : String(error),
      });
      if (!isTickbusError) throw error;
      if (error.code === 'TICKBUS_INVALID_MESSAGE') return reply(400, error.message);
      return reply(isUnknown ? 502 : 503, error.message);
    }
  }

  #rejectionOf(authorization: string | undefined, address: string): Reply | undefined {
    if (this.#token === undefined)
      return reply(
        403,
        'Sending commands is disabled. Set MONITOR_TOKEN and restart the monitor to enable it.',
      );
    switch (this.#token.check(authorization, address)) {
      case 'right':
        return undefined;
      case 'wrong':
        return reply(401, 'Wrong token: the command was not sent. Use the value of MONITOR_TOKEN.');
      case 'too_many_wrong':
        return reply(
          429,
          'Too many wrong tokens from this address: the command was not sent. Use the value of MONITOR_TOKEN.',
        );
    }
  }

  /** Publishes an audit record about one caller. Resolves with false on failure. */
  #audit(caller: Caller, entry: Omit<Audit, 'actor' | 'tool'>): Promise<boolean> {
    return this.#publishAudit({ actor: `monitor ${caller.address}`, tool: 'monitor', ...entry });
  }

  async #publishAudit(entry: Audit): Promise<boolean> {
    const audit = { ...entry, detail: auditDetail(entry.detail ?? '') };
    this.#logger.info(audit, 'Command request received');
    try {
      await this.#publisher.publish(CHANNELS.AUDIT, audit);
      return true;
    } catch (error) {
      this.#logger.error(
        { reason: String(error) },
        'Publishing to AUDIT failed; the command request is not audited',
      );
      return false;
    }
  }
}

const UNAUDITED = 'The audit record could not be published.';

/** The status of a command that was published, or that nobody can have received, by the code of the error. */
const ASK_STATUS: Partial<Record<AskErrorCode, Reply['status']>> = {
  TICKBUS_ABSENT: 404,
  TICKBUS_NOT_SENT: 503,
  TICKBUS_REJECTED: 409,
  TICKBUS_EXPIRED: 409,
  TICKBUS_FAILED: 409,
  TICKBUS_NO_ANSWER: 504,
};

function reply(status: Reply['status'], message: string, id?: string): Reply {
  return { status, body: id === undefined ? { message } : { message, id } };
}

/** Truncates the text to the limit of the AUDIT schema. Replaces a surrogate pair that the truncation splits. */
function auditDetail(text: string): string {
  return Buffer.from(text.slice(0, MAX_DETAIL_LENGTH)).toString();
}
