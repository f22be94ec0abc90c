// The options of `ask`, and their checks.

import type { Channel, MessageSchemas } from '../channel/channel.ts';
import { checkChannel } from '../channel/check-channel.ts';
import type { AnswerSchemas } from '../channel/kinds.ts';
import { TickbusError } from '../errors.ts';
import type { Published } from '../publish/batch.ts';
import type { PublishOptions } from '../publish/publish-options.ts';
import { checkOptionNames, checkType, type OptionNames } from '../runtime/option-checks.ts';

/** A channel of kind `command` that names the channel of its answers. */
export type AskableChannel = Channel<MessageSchemas, string, AnswerSchemas>;

export interface AskOptions<T extends string = string, A = unknown>
  extends Omit<PublishOptions<T>, 'endsKey' | 'expiresInMs'> {
  /** Milliseconds within which the call settles. Default 10,000. */
  timeoutMs?: number | undefined;
  /**
   * Milliseconds until the command expires. Default: `timeoutMs`, or the channel's `expiresInMs` if that is shorter. So
   * a command that was not answered in time is not started later.
   */
  expiresInMs?: number | undefined;
  /** Called when the server has published the command. The answer may arrive before that. */
  onPublished?: ((published: Published) => void) | undefined;
  /** Called with each answer that has the outcome `accepted`: another answer follows. */
  onAccepted?: ((answer: A) => void) | undefined;
}

const DEFAULT_TIMEOUT_MS = 10_000;

const NAMES: OptionNames<AskOptions> = {
  type: true,
  sender: true,
  id: true,
  timeoutMs: true,
  expiresInMs: true,
  onPublished: true,
  onAccepted: true,
};

/** The options with their defaults. */
export interface CheckedAsk {
  readonly answers: Channel<AnswerSchemas>;
  readonly timeoutMs: number;
  readonly expiresInMs: number;
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function checkedAsk(channel: Channel, options: AskOptions<string, never>): CheckedAsk {
  checkChannel(channel);
  checkOptionNames('ask', options, NAMES);
  const { timeoutMs = DEFAULT_TIMEOUT_MS, expiresInMs, onAccepted, onPublished } = options;
  checkType('onPublished', onPublished, 'function');
  checkType('onAccepted', onAccepted, 'function');
  if (!(Number.isFinite(timeoutMs) && timeoutMs > 0))
    throw invalid('timeoutMs', `timeoutMs is ${timeoutMs}. Use a number of milliseconds above 0.`);
  const { answers } = channel;
  if (answers === undefined) {
    const advice = 'Define it with `answers`, or use `publish`.';
    throw invalid(
      'channel',
      `The channel ${channel} has no channel of answers, so nothing was sent. ${advice}`,
    );
  }
  const shortest = Math.min(timeoutMs, channel.expiresInMs ?? timeoutMs);
  return { answers, timeoutMs, expiresInMs: expiresInMs ?? shortest };
}

function invalid(field: string, text: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
}
