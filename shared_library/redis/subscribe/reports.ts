// Reports each event of a subscriber to its listeners and to the log.

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
import type { Forged, Gap, Slow, SubscriberStatus } from './status.ts';
import type { Dropped } from './subscription.ts';

/** An inbound message that was not delivered. */
export interface InvalidMessage {
  readonly channel: string;
  /** Why the message is invalid; `error.field` is the path of the invalid field. */
  readonly error: TickbusError;
  /** The first 200 bytes of the message, escaped. */
  readonly preview: string;
}

/** The channel and subscription that a report is about. */
export interface ReportOrigin {
  readonly channel: string;
  /** The `name` option of the subscription. */
  readonly subscription?: string;
}

/** A handler, a `where` filter or a tap threw or rejected. Delivery to the others continues. */
export interface HandlerError extends ReportOrigin {
  readonly error: unknown;
  readonly message: Message;
}

/**
 * A command that expired before this subscription handled it. Another subscription may have handled it in time, or
 * may report its expiry too.
 */
export interface ExpiredMessage extends ReportOrigin {
  readonly message: Message;
}

export interface SubscriberEvents {
  /** The states of the link and of each channel, and every gap. */
  status: SubscriberStatus;
  /** Only the gaps. */
  gap: Gap;
  /** Only the reports of forged numbers. */
  forged: Forged;
  invalid_message: InvalidMessage;
  handler_error: HandlerError;
  expired: ExpiredMessage;
  /** The verdict on a key has changed. A timer detects it within 100 ms, also while no message arrives. */
  verdict: VerdictChange;
  /** A feed starts or stops delivering an instrument that is in the `keys` of a subscription. */
  instrument: InstrumentChange;
}

/** The state of one channel of a subscriber. Counters start with the first subscription of the channel. */
export interface ChannelReport {
  readonly mode: 'idle' | 'recovering' | 'live' | 'closed';
  /** The last position that was processed; undefined before it is known, and on `plain` channels. */
  readonly position: Position | undefined;
  /** Messages received live, of all types and keys. Values read from the server are not counted. */
  readonly received: number;
  /** Messages passed to handlers, counted once for each handler. Values read from the server are counted. */
  readonly delivered: number;
  /** Messages merged into a newer one of their key, counted once for each handler. */
  readonly conflated: number;
  readonly invalid: number;
  /** Messages with a copied or invented number, and numbers that several messages have. */
  readonly forged: number;
  /**
   * Commands not delivered because their id was delivered before: a retry reached a server that had forgotten the id.
   */
  readonly duplicates: number;
  readonly expired: number;
  /** Gaps reported, including repaired ones and overflows. */
  readonly gaps: number;
  /** Messages known to be lost and not repaired. Losses of unknown size (cause `epoch`) are not counted. */
  readonly lost: number;
  readonly repaired: number;
  readonly handlerErrors: number;
  /** Messages that wait for handlers. */
  readonly queueDepth: number;
  /** Milliseconds that the oldest waiting message has been waiting. */
  readonly behindMs: number;
}

const PREVIEW_BYTES = 200;

const SLOW_TEXTS: Readonly<Record<Slow['cause'], string>> = {
  blocked: 'The event loop was blocked; nothing was received meanwhile. Move long work out of this process.',
  handler: 'A handler is too slow; messages wait in its queue. Make the handler faster.',
};

export class Reports {
  readonly #logger: Logger;
  readonly #events: Emitter<SubscriberEvents>;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#events = new Emitter<SubscriberEvents>((error, event) =>
      logger.error({ err: error, event }, 'Event listener of the subscriber threw.'),
    );
  }

  on<K extends keyof SubscriberEvents>(
    event: K,
    listener: (event: SubscriberEvents[K]) => void,
  ): Unsubscribe {
    return this.#events.on(event, listener);
  }

  /** Not logged here: the link logs its own states. */
  link(status: LinkStatus): void {
    this.#events.emit('status', status);
  }

  status(status: Exclude<SubscriberStatus, LinkStatus>): void {
    if (status.type === 'gap') this.#logger[status.repaired ? 'info' : 'warn'](status, gapText(status));
    else if (status.type === 'recovery_failed') {
      const { channel, error } = status;
      this.#logger.error({ channel, err: error }, 'Recovery failed: the channel could not be read.');
    } else if (status.type === 'demand_refused') {
      const { channel, error } = status;
      this.#logger.warn(
        { channel, err: error },
        'Demand rejected: the keys of the subscriptions could not be declared to the gateway.',
      );
    } else if (status.type === 'forged') this.#logger.warn(status, forgedText(status));
    else if (status.type === 'slow') this.#logger.warn(status, SLOW_TEXTS[status.cause]);
    else this.#logger.debug(status, 'Channel state changed.');
    this.#events.emit('status', status);
    if (status.type === 'gap') this.#events.emit('gap', status);
    if (status.type === 'forged') this.#events.emit('forged', status);
  }

  verdict(change: VerdictChange): void {
    this.#logger.debug(change, 'Verdict changed.');
    this.#events.emit('verdict', change);
  }

  instrument(change: InstrumentChange): void {
    this.#logger.info(change, 'Instrument state changed at the feed.');
    this.#events.emit('instrument', change);
  }

  overflow(origin: ReportOrigin, dropped: Dropped): void {
    this.status({ type: 'gap', ...origin, cause: 'overflow', ...dropped, repaired: false });
  }

  expired(origin: ReportOrigin, message: Message): void {
    const { id = '', expires_at } = message;
    this.#logger.warn({ ...origin, id: printable(id), expires_at }, 'Command expired; it was not delivered.');
    this.#events.emit('expired', { ...origin, message });
  }

  handlerError(origin: ReportOrigin, error: unknown, message: Message): void {
    this.#logger.error({ ...origin, err: error }, 'Message handler failed; the other handlers continue.');
    this.#events.emit('handler_error', { ...origin, error, message });
  }

  invalid(channel: string, error: TickbusError, frame: Uint8Array): void {
    const preview = previewOf(frame);
    this.#logger.warn(
      { channel, reason: error.message, preview },
      'Invalid message received; it was not delivered.',
    );
    this.#events.emit('invalid_message', { channel, error, preview });
  }
}

/** The first bytes of a frame, and its size if it is longer. */
function previewOf(frame: Uint8Array): string {
  const beginning = printable(new TextDecoder().decode(frame.subarray(0, PREVIEW_BYTES)));
  return frame.byteLength > PREVIEW_BYTES ? `${beginning}... (${frame.byteLength} bytes)` : beginning;
}

function forgedText({ isProved }: Forged): string {
  return isProved
    ? 'Forged messages were received: their numbers were copied or invented. See who may publish on this channel.'
    : 'Several messages have the same number, and nothing proves which one is real. See who may publish on this channel.';
}

function gapText({ repaired, cause, lost }: Gap): string {
  if (repaired) return 'Messages were missed; all were recovered and delivered in order.';
  if (cause === 'overflow') return 'Messages were dropped: the handler is too slow.';
  return lost === undefined
    ? 'The server began a new epoch or lost messages of this one: the number of lost messages is unknown.'
    : 'Messages were lost.';
}
