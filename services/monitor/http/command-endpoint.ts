// Sending a command from the page: off without a token, checked by the command's schema, and told on AUDIT whatever becomes of it.

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
  /** The address that the request came from. */
  readonly address: string;
  /** The Authorization header. */
  readonly authorization: string | undefined;
}

const request = z.object({ type: z.string(), data: z.record(z.string(), z.unknown()) });

type CommandType = keyof typeof CHANNELS.TRADE_COMMANDS.messages;
/** Wrong tokens within a minute after which none is looked at any more. */
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
    const refusal = this.#authorize(caller);
    if (refusal !== undefined) {
      await this.#audit(caller, { action: 'refused', outcome: 'refused', detail: refusal.body.message });
      return refusal;
    }
    const { data: asked, success } = request.safeParse(body);
    if (!success || !Object.hasOwn(CHANNELS.TRADE_COMMANDS.messages, asked.type)) {
      const answer = reply(
        400,
        'Send { "type": ..., "data": { "bot": ... } } with a type of TRADE_COMMANDS.',
      );
      await this.#audit(caller, { action: 'send_command', outcome: 'failed', detail: answer.body.message });
      return answer;
    }
    return this.#publish(asked.type as CommandType, asked.data, caller);
  }

  async #publish(type: CommandType, data: Record<string, unknown>, caller: Caller): Promise<Reply> {
    const channel = CHANNELS.TRADE_COMMANDS;
    const about = { channel: channel.name, message_type: type, bot: String(data.bot ?? '') };
    try {
      // A link that was given up, because Redis refused the password, begins anew.
      await this.#publisher.connect();
      // The schema of the channel checks it; an error names the field.
      const { receivers, id } = await this.#publisher.publish(channel, data as never, { type });
      const nobody = receivers === 0 ? ' Nobody is listening.' : '';
      const audited = await this.#audit(caller, {
        ...about,
        action: 'send_command',
        outcome: 'sent',
        ...(id !== undefined && { command_id: id }),
        detail: JSON.stringify(data).slice(0, 1_000),
      });
      const unaudited = audited ? '' : ' It could not be told on AUDIT.';
      return reply(
        200,
        `Sent to ${receivers} subscriber${receivers === 1 ? '' : 's'}.${nobody}${unaudited}`,
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
      return reply(403, 'Sending commands is off. Start the monitor with MONITOR_TOKEN to turn it on.');
    const now = performance.now();
    this.#wrongTokensAt = this.#wrongTokensAt.filter((at) => now - at < MINUTE_MS);
    if (this.#wrongTokensAt.length >= MAX_WRONG_TOKENS)
      return reply(429, 'There were too many wrong tokens. Wait for a minute.');
    const given = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
    if (given !== undefined && tokensMatch(given, this.#token)) return undefined;
    this.#wrongTokensAt.push(now);
    return reply(401, 'The token is not the one that the monitor was started with.');
  }

  /** Whether it was told. */
  async #audit(caller: Caller, entry: Omit<Audit, 'actor' | 'tool'>): Promise<boolean> {
    const audit: Audit = { actor: `monitor ${caller.address}`, tool: 'monitor', ...entry };
    this.#logger.info(audit, 'Somebody used the monitor to send a command.');
    try {
      await this.#publisher.publish(CHANNELS.AUDIT, audit);
      return true;
    } catch (error) {
      this.#logger.error({ reason: String(error) }, 'A command could not be told on AUDIT.');
      return false;
    }
  }
}

function reply(status: Reply['status'], message: string, id?: string): Reply {
  return { status, body: id === undefined ? { message } : { message, id } };
}

/** Takes the same time whatever differs, and however long they are. */
function tokensMatch(given: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
