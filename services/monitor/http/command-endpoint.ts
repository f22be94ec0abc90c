// Sends commands for the page; disabled if no token is configured. The channel's schema validates each command, and
// AUDIT records every attempt.

import { createHash, timingSafeEqual } from 'node:crypto';
import { type Audit, type Logger, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';
import { z } from 'zod';
import type { CommandResponse } from '../page-protocol.ts';

export interface Reply {
  readonly status: 200 | 400 | 401 | 403 | 429 | 502 | 503;
  readonly body: CommandResponse;
}

export interface Caller {
  /** IP address of the client. */
  readonly address: string;
  /** Authorization header. */
  readonly authorization: string | undefined;
}

const request = z.object({ type: z.string(), data: z.record(z.string(), z.unknown()) });

type CommandType = keyof typeof CHANNELS.TRADE_COMMANDS.messages;
/** Wrong tokens per minute after which every token is rejected. */
const MAX_WRONG_TOKENS = 10;
const MINUTE_MS = 60_000;

export class CommandEndpoint {
  readonly #token: string | undefined;
  readonly #publisher: RedisPublisher;
  readonly #logger: Logger;
  #wrongTokensAt: number[] = [];

  constructor(token: string | undefined, publisher: RedisPublisher, logger: Logger) {
    this.#token = token;
    this.#publisher = publisher;
    this.#logger = logger;
  }

  async send(body: unknown, caller: Caller): Promise<Reply> {
    const rejection = this.#authorize(caller);
    if (rejection !== undefined) {
      await this.#audit(caller, { action: 'refused', outcome: 'refused', detail: rejection.body.message });
      return rejection;
    }
    const { data: command, success } = request.safeParse(body);
    if (!success || !Object.hasOwn(CHANNELS.TRADE_COMMANDS.messages, command.type)) {
      const invalid = reply(
        400,
        'Invalid command, not sent. Send { "type": ..., "data": { "bot": ... } } with a type of TRADE_COMMANDS.',
      );
      await this.#audit(caller, { action: 'send_command', outcome: 'failed', detail: invalid.body.message });
      return invalid;
    }
    return this.#publish(command.type as CommandType, command.data, caller);
  }

  async #publish(type: CommandType, data: Record<string, unknown>, caller: Caller): Promise<Reply> {
    const channel = CHANNELS.TRADE_COMMANDS;
    const about = { channel: channel.name, message_type: type, bot: String(data.bot ?? '') };
    try {
      // Reconnects if the connection has failed permanently, for example after a rejected password.
      await this.#publisher.connect();
      // `publish` validates the data against the schema; the error names the field.
      const { receivers, id } = await this.#publisher.publish(channel, data as never, { type });
      const noReceivers = receivers === 0 ? ' No subscriber is listening.' : '';
      const audited = await this.#audit(caller, {
        ...about,
        action: 'send_command',
        outcome: 'sent',
        ...(id !== undefined && { command_id: id }),
        detail: JSON.stringify(data).slice(0, 1_000),
      });
      const unaudited = audited ? '' : ' The audit record could not be published.';
      return reply(
        200,
        `Sent to ${receivers} subscriber${receivers === 1 ? '' : 's'}.${noReceivers}${unaudited}`,
        id,
      );
    } catch (error) {
      if (!(error instanceof TickbusError)) throw error;
      const isUnknown = error.code === 'TICKBUS_OUTCOME_UNKNOWN';
      await this.#audit(caller, {
        ...about,
        action: 'send_command',
        outcome: isUnknown ? 'unknown' : 'failed',
        detail: error.message.slice(0, 1_000),
      });
      if (error.code === 'TICKBUS_INVALID_MESSAGE') return reply(400, error.message);
      return reply(isUnknown ? 502 : 503, error.message);
    }
  }

  #authorize({ authorization }: Caller): Reply | undefined {
    if (this.#token === undefined)
      return reply(
        403,
        'Sending commands is disabled. Set MONITOR_TOKEN and restart the monitor to enable it.',
      );
    const now = performance.now();
    this.#wrongTokensAt = this.#wrongTokensAt.filter((at) => now - at < MINUTE_MS);
    if (this.#wrongTokensAt.length >= MAX_WRONG_TOKENS)
      return reply(429, 'Too many wrong tokens: the command was not sent. Try again in a minute.');
    const given = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
    if (given !== undefined && tokensMatch(given, this.#token)) return undefined;
    this.#wrongTokensAt.push(now);
    return reply(401, 'Wrong token: the command was not sent. Use the value of MONITOR_TOKEN.');
  }

  /** Publishes an audit record. Resolves with false on failure. */
  async #audit(caller: Caller, entry: Omit<Audit, 'actor' | 'tool'>): Promise<boolean> {
    const audit: Audit = { actor: `monitor ${caller.address}`, tool: 'monitor', ...entry };
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

function reply(status: Reply['status'], message: string, id?: string): Reply {
  return { status, body: id === undefined ? { message } : { message, id } };
}

/** Compares digests in constant time, independent of content and length. */
function tokensMatch(given: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
