// One command that was asked for: its state, its one outcome, and the sentences about it.

import type { Channel } from '../channel/channel.ts';
import type { AnswerFields, AnswerSchemas } from '../channel/kinds.ts';
import type { TickbusError } from '../errors.ts';
import type { Ending } from '../presence/presence-watch.ts';
import type { Published } from '../publish/batch.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { printable } from '../runtime/printable.ts';
import { AskError, type AskErrorCode } from './ask-error.ts';

export interface PendingAskSettings {
  readonly clock: Clock;
  /** The id of the command. */
  readonly id: string;
  /** The type of the command, such as `pause`. */
  readonly type: string;
  /** Who is asked, such as the name of a bot, or the channel if it has no key. */
  readonly receiver: string;
  /** The channel of the command. */
  readonly channel: Channel;
  /** The channel of the answer. */
  readonly answers: Channel<AnswerSchemas>;
  /** From the call of `ask`, as `expiresInMs`. */
  readonly timeoutMs: number;
  readonly expiresInMs: number;
  /** If a callback throws, the call rejects with its error. */
  readonly onPublished: ((published: Published) => void) | undefined;
  readonly onAccepted: ((answer: never) => void) | undefined;
  /** Called once, when it settles. */
  readonly onSettled: () => void;
}

const CODES: Readonly<Record<string, AskErrorCode>> = {
  rejected: 'TICKBUS_REJECTED',
  expired: 'TICKBUS_EXPIRED',
  failed: 'TICKBUS_FAILED',
};

/** `TICKBUS_OUTCOME_UNKNOWN`: it is unknown, too, whether the command was published. */
type AbortCode = 'TICKBUS_NO_ANSWER' | 'TICKBUS_OUTCOME_UNKNOWN' | 'TICKBUS_CLOSED';

/** A timer can fire a little early. */
const EARLY_MS = 2;
const MAX_DETAIL_LENGTH = 1_000;

/**
 * States: `unsent` -> `unknown` (sent, and the server has not confirmed it) -> `published` -> settled. An answer
 * settles it in any state, and proves that the command was published.
 */
export class PendingAsk {
  readonly #settings: PendingAskSettings;
  readonly answer: Promise<AnswerFields>;
  readonly #expiresAt: number;
  readonly #cancel: Unsubscribe;
  #resolve: (answer: AnswerFields) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  /** The instances of the receiver that were there before the command was sent, and have not ended since. */
  readonly #remaining = new Set<string>();
  /** Why the last answer was dropped. A valid one may follow. */
  #invalidAnswer: TickbusError | undefined;
  state: 'unsent' | 'unknown' | 'published' | 'settled' = 'unsent';

  constructor(settings: PendingAskSettings) {
    const { clock, timeoutMs, expiresInMs } = settings;
    this.#settings = settings;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#expiresAt = clock.monotonic() + expiresInMs;
    this.#cancel = clock.after(timeoutMs, () => this.#timeOut());
  }

  /** Milliseconds until the command expires, at least 1. A retry expires when the first attempt does. */
  get expiresInMs(): number {
    return Math.max(1, this.#expiresAt - this.#settings.clock.monotonic());
  }

  get receiver(): string {
    return this.#settings.receiver;
  }

  get channel(): Channel {
    return this.#settings.channel;
  }

  get answers(): Channel<AnswerSchemas> {
    return this.#settings.answers;
  }

  /** Whether everybody who can have received the command has ended, with this end. */
  loses({ name, instance, isLast }: Pick<Ending, 'name' | 'instance' | 'isLast'>): boolean {
    if (name !== this.#settings.receiver) return false;
    if (this.#remaining.size === 0) return isLast;
    return this.#remaining.delete(instance) && this.#remaining.size === 0;
  }

  /** Everybody who can have received the command has ended. */
  endWith(state: 'left' | 'gone'): void {
    const { type, channel } = this.#settings;
    const receiver = printable(this.#settings.receiver);
    if (this.state === 'unsent' && state === 'gone') return this.failGone();
    if (this.state === 'unsent')
      return this.failAbsent(
        `Nobody named ${receiver} listens to ${channel} any more: ${type} was not sent.`,
      );
    const later = state === 'left' ? 'It does not start later.' : this.#laterEffect;
    const how = state === 'left' ? 'has ended' : 'is gone (it crashed, hangs, or lost its link)';
    const sent = this.state === 'published' ? 'was published' : 'was sent, and may have been published';
    const code = this.state === 'published' ? 'TICKBUS_NO_ANSWER' : 'TICKBUS_OUTCOME_UNKNOWN';
    this.abort(code, `${receiver} ${how}, and has not answered ${type}, which ${sent}.`, undefined, later);
  }

  setReceivers(instances: Iterable<string>): void {
    for (const instance of instances) this.#remaining.add(instance);
  }

  /** If nobody has received it, nobody ever will, as if it was not sent. `failUnheard` follows. */
  onPublished(published: Published): void {
    if (this.state === 'unknown') this.state = published.receivers > 0 ? 'published' : 'unsent';
    this.#call(this.#settings.onPublished, published);
  }

  onAnswer(answer: AnswerFields): void {
    const { outcome } = answer;
    if (outcome === 'accepted') return this.#call(this.#settings.onAccepted, answer as never);
    const code = CODES[outcome];
    if (code !== undefined) return this.fail(this.#failure(code, answer));
    if (this.#settle()) this.#resolve(answer);
  }

  /** An answer that violates the schema of its channel was received and not delivered. */
  onInvalidAnswer(error: TickbusError): void {
    this.#invalidAnswer = error;
  }

  fail(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  /** Nobody can have received the command. */
  failAbsent(reason: string): void {
    this.fail(new AskError('TICKBUS_ABSENT', `${reason} Check the name, or start it, then ask again.`));
  }

  /**
   * The server has published the command to nobody.
   *
   * @param isThere whether the receiver says that it subscribes: its link was cut, and comes back. Undefined: unknown
   */
  failUnheard(isThere: boolean | undefined): void {
    const { type, channel } = this.#settings;
    const receiver = printable(this.#settings.receiver);
    if (isThere === false)
      return this.failAbsent(`Nobody listens to ${channel}: ${receiver} did not receive ${type}.`);
    const text =
      isThere === true
        ? `${receiver} is there, but its link to ${channel} was down: it did not receive ${type}, and will not.`
        : `Nobody received ${type}, and PRESENCE cannot be read, so it is unknown whether ${receiver} is there.`;
    this.fail(new AskError('TICKBUS_NOT_SENT', `${text} Ask again. Do not start a second one.`));
  }

  /** As `failAbsent`. A second bot beside one that hangs would act on the same account. */
  failGone(): void {
    const { receiver, type } = this.#settings;
    const text =
      `${printable(receiver)} is gone: it crashed, hangs or lost its link; ${type} was not sent. ` +
      'See whether its process still runs, and end it, before you start it again.';
    this.fail(new AskError('TICKBUS_ABSENT', text));
  }

  /** No answer can arrive any more, so the outcome depends on how far the command got. */
  abort(code: AbortCode, reason: string, cause?: unknown, later = this.#laterEffect): void {
    const { id: messageId, type, receiver } = this.#settings;
    if (this.state === 'unsent')
      return this.fail(new AskError('TICKBUS_NOT_SENT', `${reason} ${type} was not sent.`, { cause }));
    const text = `${reason} Whether ${printable(receiver)} obeys ${type} is unknown. ${later}`;
    this.fail(new AskError(code, text, { cause, messageId }));
  }

  /** The command was sent, and will not be confirmed in time. */
  failUnknown(cause?: unknown): void {
    const { id: messageId, type, receiver, timeoutMs } = this.#settings;
    const text =
      `Redis has not confirmed within ${timeoutMs} ms that ${type} was published, ` +
      `so whether ${printable(receiver)} obeys is unknown. ${this.#laterEffect}`;
    this.fail(new AskError('TICKBUS_OUTCOME_UNKNOWN', text, { cause, messageId }));
  }

  #call<A>(callback: ((argument: A) => void) | undefined, argument: A): void {
    try {
      callback?.(argument);
    } catch (error) {
      this.fail(error);
    }
  }

  #timeOut(): void {
    const { timeoutMs, receiver, answers } = this.#settings;
    const invalid = this.#invalidAnswer;
    if (invalid !== undefined) {
      const what = `${printable(receiver)} answered with an invalid message on ${answers}, which was dropped`;
      return this.abort('TICKBUS_NO_ANSWER', `${what}: ${invalid.message} Correct the bot.`, invalid);
    }
    if (this.state === 'unknown') return this.failUnknown();
    const reason =
      this.state === 'unsent'
        ? `Within ${timeoutMs} ms, the subscription to the answers was not ready, or it was not known who listens.`
        : `${printable(receiver)} has not answered within ${timeoutMs} ms: it is not running, or busy.`;
    this.abort('TICKBUS_NO_ANSWER', reason);
  }

  get #laterEffect(): string {
    const { expiresInMs, clock } = this.#settings;
    if (clock.monotonic() >= this.#expiresAt - EARLY_MS)
      return 'It does not start later: the command expires now.';
    return `It may still start until ${expiresInMs} ms after sending.`;
  }

  #failure(code: AskErrorCode, answer: AnswerFields): AskError {
    const { id: messageId, type, receiver } = this.#settings;
    const name = printable(receiver);
    const { detail } = answer as { detail?: unknown };
    const why = typeof detail === 'string' ? ` ${printable(detail, MAX_DETAIL_LENGTH)}` : '';
    const what: Readonly<Record<string, string>> = {
      TICKBUS_REJECTED: `${name} rejected ${type} and did nothing.`,
      TICKBUS_EXPIRED: `${type} expired before ${name} got to it, so nothing was done.`,
      TICKBUS_FAILED: `${name} tried ${type} without success.`,
    };
    return new AskError(code, `${what[code]}${why}`, { messageId, answer: { ...answer } });
  }

  /** False if it had settled before. */
  #settle(): boolean {
    if (this.state === 'settled') return false;
    this.state = 'settled';
    this.#cancel();
    this.#settings.onSettled();
    return true;
  }
}
