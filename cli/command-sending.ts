// Sends a command once, whatever happens to the replies of the server, and notes it on AUDIT.

import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageType, PayloadInput, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { Published, RedisPublisher } from 'tickbus/publisher';
import { audit } from './audit.ts';
import type { Context } from './context.ts';
import type { Payload } from './payload.ts';

const { TRADE_COMMANDS } = CHANNELS;

export type Action = MessageType<typeof TRADE_COMMANDS>;

export interface CommandToSend {
  /** Under which the server knows it: sent again, it has one effect. */
  readonly id: string;
  readonly bot: string;
  readonly action: Action;
  readonly payload: Payload;
}

const RETRY_MS = 250;

/**
 * An unknown outcome is asked for again under the same id, for so long.
 *
 * @throws TickbusError why it was not sent, or that it cannot be known whether it was
 */
export async function sendOnce(
  context: Context,
  publisher: RedisPublisher,
  command: CommandToSend,
  timeoutMs: number,
): Promise<Published> {
  const { id, action: type } = command;
  const payload = command.payload as PayloadInput<typeof TRADE_COMMANDS, Action>;
  const giveUpAt = performance.now() + timeoutMs;
  for (let isUnknown = false; ; ) {
    try {
      const published = await publisher.publish(TRADE_COMMANDS, payload, { type, id });
      await note(context, publisher, command, 'sent');
      return published;
    } catch (caught) {
      const error = caught as TickbusError;
      const isUnknownNow = error.code === 'TICKBUS_OUTCOME_UNKNOWN';
      isUnknown ||= isUnknownNow;
      if (!isUnknown || !(error.retryable || isUnknownNow) || performance.now() > giveUpAt) {
        await noteFailure(context, publisher, command, isUnknown, error);
        throw error;
      }
      context.terminal.note('No reply came. Asking again, under the same id.');
      await sleep(RETRY_MS, undefined, { signal: context.signal }).catch(() =>
        context.signal.throwIfAborted(),
      );
    }
  }
}

async function noteFailure(
  context: Context,
  publisher: RedisPublisher,
  command: CommandToSend,
  isUnknown: boolean,
  { code, message }: TickbusError,
): Promise<void> {
  // Then the note would fail for the same reason.
  if (code === 'TICKBUS_CONNECT_FAILED' || code === 'TICKBUS_AUTH_FAILED') return;
  await note(context, publisher, command, isUnknown ? 'unknown' : 'failed', message);
}

async function note(
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
