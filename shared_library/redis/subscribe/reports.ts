// What a subscriber tells: each event to its listeners and to the log, in one place.

import type { TickbusError } from '../errors.ts';
import type { InstrumentChange } from '../freshness/latest.ts';
import type { VerdictChange } from '../freshness/verdict-poller.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { Emitter } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import { printable } from '../runtime/printable.ts';
import type { LinkStatus } from '../transport/link-status.ts';
import type { Message } from '../wire/message.ts';
import type { Position } from '../wire/position.ts';
import type { Gap, Slow, SubscriberStatus } from './status.ts';
import type { Dropped } from './subscription.ts';

/** An inbound message that was not delivered. */
export interface InvalidMessage {
  readonly channel: string;
  /** Says what is wrong; `error.field` names the place. */
  readonly error: TickbusError;
  /** The beginning of the message, escaped and cut. */
  readonly preview: string;
}

/** Whose report it is. */
export interface Origin {
  readonly channel: string;
  /** The `name` that the subscription was given. */
  readonly subscription?: string;
}

/** A handler, or a `where`, that threw or rejected. The other handlers got the message all the same. */
export interface HandlerError extends Origin {
  readonly error: unknown;
  readonly message: Message;
}

/** A command that one subscription did not handle because its time was over. Others may have handled it before, or be told of it too. */
export interface ExpiredMessage extends Origin {
  readonly message: Message;
}

export interface SubscriberEvents {
  /** The link's life, each channel's, and every gap. */
  status: SubscriberStatus;
  /** The gaps alone. */
  gap: Gap;
  invalid_message: InvalidMessage;
  handler_error: HandlerError;
  expired: ExpiredMessage;
  /** The verdict on a key has turned: told within a tenth of a second, by a timer, also when nothing arrives. */
  verdict: VerdictChange;
  /** A feed begins or ceases to deliver an instrument that a subscription names. */
  instrument: InstrumentChange;
}

/** One channel, as this subscriber has it. Counted since the first subscription of the channel. */
export interface ChannelReport {
  readonly mode: 'idle' | 'recovering' | 'live' | 'closed';
  /** Where the reader stands; undefined before it is known, and on `plain` channels. */
  readonly position: Position | undefined;
  /** Messages that arrived live, of all types and keys; kept values that were read are not among them. */
  readonly received: number;
  /** Messages handed to handlers, kept values too, counted once a handler. */
  readonly delivered: number;
  /** Messages that stand merged in a newer one of their key, counted once a handler. */
  readonly conflated: number;
  readonly invalid: number;
  /** Commands not delivered because one of the same id was: they were published again after the server had forgotten it. */
  readonly duplicates: number;
  readonly expired: number;
  /** Gaps told, repaired ones and overflows too. */
  readonly gaps: number;
  /** Messages known to be lost and not repaired; what a change of epoch hides is not in it. */
  readonly lost: number;
  readonly repaired: number;
  readonly handlerErrors: number;
  /** Messages that wait for handlers now. */
  readonly queueDepth: number;
  /** Milliseconds that the oldest of them has been waiting. */
  readonly behindMs: number;
}

const PREVIEW_BYTES = 200;

const SLOW: Readonly<Record<Slow['cause'], string>> = {
  blocked: 'The event loop was blocked; messages waited unread.',
  handler: 'A handler is behind; messages wait for it.',
};

export class Reports {
  readonly #logger: Logger;
  readonly #events: Emitter<SubscriberEvents>;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#events = new Emitter<SubscriberEvents>((error, event) =>
      logger.error({ err: error, event }, 'A listener of the subscriber threw.'),
    );
  }

  on<K extends keyof SubscriberEvents>(
    event: K,
    listener: (event: SubscriberEvents[K]) => void,
  ): Unsubscribe {
    return this.#events.on(event, listener);
  }

  /** The link logs its own life. */
  link(status: LinkStatus): void {
    this.#events.emit('status', status);
  }

  status(status: Exclude<SubscriberStatus, LinkStatus>): void {
    if (status.type === 'gap') this.#logger[status.repaired ? 'info' : 'warn'](status, gapSentence(status));
    else if (status.type === 'recovery_failed') {
      const { channel, error } = status;
      this.#logger.error({ channel, err: error }, 'The channel could not be read; trying again.');
    } else if (status.type === 'demand_refused') {
      const { channel, error } = status;
      this.#logger.warn({ channel, err: error }, 'Which keys are wanted could not be declared.');
    } else if (status.type === 'slow') this.#logger.warn(status, SLOW[status.cause]);
    else this.#logger.debug(status, 'The channel changed its state.');
    this.#events.emit('status', status);
    if (status.type === 'gap') this.#events.emit('gap', status);
  }

  verdict(change: VerdictChange): void {
    this.#logger.debug(change, 'The verdict on a key has turned.');
    this.#events.emit('verdict', change);
  }

  instrument(change: InstrumentChange): void {
    this.#logger.info(change, 'A feed tells of an instrument.');
    this.#events.emit('instrument', change);
  }

  overflow(origin: Origin, dropped: Dropped): void {
    this.status({ type: 'gap', ...origin, cause: 'overflow', ...dropped, repaired: false });
  }

  expired(origin: Origin, message: Message): void {
    const { id = '', expires_at } = message;
    this.#logger.warn(
      { ...origin, id: printable(id), expires_at },
      'A command was not delivered: its time is over.',
    );
    this.#events.emit('expired', { ...origin, message });
  }

  handlerError(origin: Origin, error: unknown, message: Message): void {
    this.#logger.error({ ...origin, err: error }, 'A message handler failed; the other handlers go on.');
    this.#events.emit('handler_error', { ...origin, error, message });
  }

  invalid(channel: string, error: TickbusError, frame: Uint8Array): void {
    const preview = previewOf(frame);
    this.#logger.warn({ channel, reason: error.message, preview }, 'An invalid message was not delivered.');
    this.#events.emit('invalid_message', { channel, error, preview });
  }
}

/** The beginning, and how much it is the beginning of. */
function previewOf(frame: Uint8Array): string {
  const beginning = printable(new TextDecoder().decode(frame.subarray(0, PREVIEW_BYTES)));
  return frame.byteLength > PREVIEW_BYTES ? `${beginning}... (${frame.byteLength} bytes)` : beginning;
}

function gapSentence({ repaired, cause, lost }: Gap): string {
  if (repaired) return 'Messages were missed, fetched and delivered in order.';
  if (cause === 'overflow') return 'The handler is too slow; messages were dropped.';
  return lost === undefined
    ? 'The channel was begun anew; whether messages were lost before that cannot be known.'
    : 'Messages were lost.';
}
