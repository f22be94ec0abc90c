// Sends a command so that it has exactly one effect, even if replies of Redis are lost, and audits it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageType, PayloadInput, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { Published, RedisPublisher } from 'tickbus/publisher';
import { audit } from './audit-entry.ts';
import type { Context } from './context.ts';
import type { JsonPayload } from './payload.ts';

const { TRADE_COMMANDS } = CHANNELS;

export type CommandAction = MessageType<typeof TRADE_COMMANDS>;

export interface CommandToSend {
  /** The deduplication id: a retry under the same id has no second effect. */
  readonly id: string;
  readonly bot: string;
  readonly action: CommandAction;
  readonly payload: JsonPayload;
}

const RETRY_MS = 250;

/**
 * Retries under the same id while the outcome is unknown, up to `timeoutMs`.
 *
 * @throws TickbusError if the command was not sent, or its outcome stayed unknown
 */
export async function sendOnce(
  context: Context,
  publisher: RedisPublisher,
  command: CommandToSend,
  timeoutMs: number,
): Promise<Published> {
  const { id, action: type } = command;
  const payload = command.payload as PayloadInput<typeof TRADE_COMMANDS, CommandAction>;
  const giveUpAt = performance.now() + timeoutMs;
  for (let isUnknown = false; ; ) {
    try {
      const published = await publisher.publish(TRADE_COMMANDS, payload, { type, id });
      await auditOutcome(context, publisher, command, 'sent');
      return published;
    } catch (caught) {
      const error = caught as TickbusError;
      const isUnknownNow = error.code === 'TICKBUS_OUTCOME_UNKNOWN';
      isUnknown ||= isUnknownNow;
      if (!isUnknown || !(error.retryable || isUnknownNow) || performance.now() > giveUpAt) {
        await auditFailure(context, publisher, command, isUnknown, error);
        throw error;
      }
      context.terminal.note('No reply from Redis. Retrying under the same id.');
      await sleep(RETRY_MS, undefined, { signal: context.signal }).catch(() =>
        context.signal.throwIfAborted(),
      );
    }
  }
}

async function auditFailure(
  context: Context,
  publisher: RedisPublisher,
  command: CommandToSend,
  isUnknown: boolean,
  { code, message }: TickbusError,
): Promise<void> {
  // The audit entry would fail for the same reason.
  if (code === 'TICKBUS_CONNECT_FAILED' || code === 'TICKBUS_AUTH_FAILED') return;
  await auditOutcome(context, publisher, command, isUnknown ? 'unknown' : 'failed', message);
}

async function auditOutcome(
  context: Context,
  publisher: RedisPublisher,
  { id, bot, action }: CommandToSend,
  outcome: 'sent' | 'unknown' | 'failed',
  detail?: string,
): Promise<void> {
  await audit(context, publisher, {
    action: 'send_command',
    channel: TRADE_COMMANDS.name,
    message_type: action,
    bot,
    command_id: id,
    outcome,
    ...(detail !== undefined && { detail }),
  });
}
