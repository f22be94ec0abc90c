// The error of a command that was asked for and not carried out, or not answered.

import { type ErrorCode, TickbusError, type TickbusErrorOptions } from '../errors.ts';

/** The codes of `ask` beyond those of `publish`. */
export type AskErrorCode = Extract<
  ErrorCode,
  | 'TICKBUS_ABSENT'
  | 'TICKBUS_EXPIRED'
  | 'TICKBUS_REJECTED'
  | 'TICKBUS_FAILED'
  | 'TICKBUS_NO_ANSWER'
  | 'TICKBUS_NOT_SENT'
  | 'TICKBUS_OUTCOME_UNKNOWN'
  | 'TICKBUS_CLOSED'
>;

/** Thrown by `ask`. `messageId` is the id of the command, unless it was not sent. */
export class AskError extends TickbusError {
  declare readonly code: AskErrorCode;
  /** The answer, if there was one: the payload on the `answers` channel. */
  readonly answer: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: AskErrorCode,
    text: string,
    { answer, ...options }: TickbusErrorOptions & { answer?: AskError['answer'] } = {},
  ) {
    super(code, text, options);
    this.name = 'AskError';
    this.answer = answer;
  }

  override toJSON(): object {
    const { answer } = this;
    return { ...super.toJSON(), ...(answer === undefined ? {} : { answer }) };
  }
}
