// Sends a command so that it has exactly one effect, even if replies of Redis are lost, and audits it.

import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AskOptions,
  CommandResult,
  MessageType,
  PayloadInput,
  TickbusError,
  TradeCommands,
} from 'tickbus';
import { AskError, type Published, type RedisPublisher } from 'tickbus/publisher';
import { audit } from './audit-entry.ts';
import { commandChannel } from './channel-lookup.ts';
import type { Context } from './context.ts';
import type { JsonPayload } from './payload.ts';

/** The compiler does not know the user's own types. */
export type CommandAction = MessageType<TradeCommands>;

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
  const payload = command.payload as PayloadInput<TradeCommands, CommandAction>;
  const giveUpAt = performance.now() + timeoutMs;
  for (let isUnknown = false; ; ) {
    try {
      const published = await publisher.publish(commandChannel(), payload, { type, id });
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

/**
 * Sends a command at most once, and resolves with the answer of the bot. The audit entry is written when the command is
 * published, or when that has failed.
 *
 * @throws TickbusError as `publisher.ask`
 */
export async function askOnce(
  context: Context,
  publisher: RedisPublisher,
  command: CommandToSend,
  options: Pick<AskOptions<CommandAction, Pick<CommandResult, 'detail'>>, 'timeoutMs' | 'onAccepted'>,
): Promise<CommandResult> {
  const { id, action: type } = command;
  const payload = command.payload as PayloadInput<TradeCommands, CommandAction>;
  let audited: Promise<void> | undefined;
  const onPublished = () => {
    audited ??= auditOutcome(context, publisher, command, 'sent');
  };
  try {
    const answer = await publisher.ask(commandChannel(), payload, { ...options, type, id, onPublished });
    // The answer may arrive before Redis confirms the publish.
    onPublished();
    return answer;
  } catch (caught) {
    const error = caught as TickbusError;
    if (error instanceof AskError && error.answer !== undefined) onPublished();
    const isUnknown = error.code === 'TICKBUS_OUTCOME_UNKNOWN' || error.code === 'TICKBUS_CLOSED';
    audited ??= auditFailure(context, publisher, command, isUnknown, error);
    throw error;
  } finally {
    await audited;
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
    channel: commandChannel().name,
    message_type: action,
    bot,
    command_id: id,
    outcome,
    ...(detail !== undefined && { detail }),
  });
}
