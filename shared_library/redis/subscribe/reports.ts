// Reports each event of a subscriber to its listeners and to the log.

import { conflictText, type DefinitionConflict } from '../channel/definition.ts';
import type { TickbusError } from '../errors.ts';
import type { InstrumentChange } from '../freshness/latest.ts';
import type { VerdictChange } from '../freshness/verdict-poller.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { Emitter } from '../runtime/emitter.ts';
import { LogLimiter, loggableError } from '../runtime/log-limiter.ts';
import type { Logger } from '../runtime/logger.ts';
import { printable } from '../runtime/printable.ts';
import type { LinkStatus } from '../transport/link-status.ts';
import type { FenceToken } from '../transport/port.ts';
import type { Message } from '../wire/message.ts';
import type { Position } from '../wire/position.ts';
import type { ChannelStatus, Forged, Gap, NameTaken, Slow, SubscriberStatus } from './status.ts';
import type { Dropped } from './subscription.ts';

/** Inbound messages that were not delivered. Invalid messages of one frame, or of one recovery, share one event. */
export interface InvalidMessage {
  readonly channel: string;
  /** Why the first of them is invalid; `error.field` is the path of the invalid field. */
  readonly error: TickbusError;
  /** The first 200 bytes of the first of them, escaped. */
  readonly preview: string;
  /** How many messages are invalid: 1 or more. A frame that cannot be read at all counts as one. */
  readonly count: number;
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

/** The names of SubscriberEvents, for `checkListener`. */
export const SUBSCRIBER_EVENTS: Readonly<Record<keyof SubscriberEvents, true>> = {
  status: true,
  gap: true,
  forged: true,
  invalid_message: true,
  handler_error: true,
  expired: true,
  verdict: true,
  instrument: true,
};

/** The state of one channel of a subscriber. Counters start with the first subscription of the channel. */
export interface ChannelReport {
  readonly mode: 'idle' | 'recovering' | 'live' | 'closed';
  /**
   * The last position that was processed; undefined before it is known, on `plain` channels, and if the channel has
   * several partitions.
   */
  readonly position: Position | undefined;
  /** The number of partitions of the channel; undefined before the first answer of the server. */
  readonly partitions: number | undefined;
  /** The token of the channel's lease at the last answer of the server; undefined if nobody held it. */
  readonly lease: FenceToken | undefined;
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
  /** Latest values that were evicted, because the channel has more keys than a subscriber keeps (kind `state`). */
  readonly evicted: number;
  /** Messages that wait for handlers. */
  readonly queueDepth: number;
  /** Milliseconds that the oldest waiting message has been waiting. */
  readonly behindMs: number;
  /** How the definition at the head of the channel differs; undefined if it does not. */
  readonly conflict: DefinitionConflict | undefined;
}

const PREVIEW_BYTES = 200;

const SLOW_TEXTS: Readonly<Record<Slow['cause'], string>> = {
  blocked: 'The event loop was blocked; nothing was received meanwhile. Move long work out of this process.',
  handler: 'A handler is too slow; messages wait in its queue. Make the handler faster.',
};

/**
 * Listeners get every event. Above level debug, the log gets at most 20 lines of one kind and channel in 10 s, and
 * counts the others.
 */
export class Reports {
  readonly #log: LogLimiter;
  readonly #debug: Logger['debug'];
  readonly #events: Emitter<SubscriberEvents>;

  constructor(logger: Logger, clock: Clock) {
    this.#log = new LogLimiter(logger, clock);
    this.#debug = (fields, message) => logger.debug(fields, message);
    this.#events = new Emitter<SubscriberEvents>((error, event) =>
      this.#log.write(
        'error',
        event,
        { err: loggableError(error), event },
        'Event listener of the subscriber threw.',
      ),
    );
  }

  /** Logs how many lines were suppressed so far. */
  close(): void {
    this.#log.flush();
  }

  on<K extends keyof SubscriberEvents>(
    event: K,
    listener: (event: SubscriberEvents[K]) => void,
  ): Unsubscribe {
    return this.#events.on(event, listener);
  }

  /** Not logged here: the link and the participant log their own states. */
  link(status: LinkStatus | NameTaken): void {
    this.#events.emit('status', status);
  }

  status(status: ChannelStatus): void {
    this.#logStatus(status);
    this.#events.emit('status', status);
    if (status.type === 'gap') this.#events.emit('gap', status);
    if (status.type === 'forged') this.#events.emit('forged', status);
  }

  verdict(change: VerdictChange): void {
    this.#debug(change, 'Verdict changed.');
    this.#events.emit('verdict', change);
  }

  instrument(change: InstrumentChange): void {
    this.#log.write('info', change.channel, change, 'Instrument state changed at the feed.');
    this.#events.emit('instrument', change);
  }

  overflow(origin: ReportOrigin, dropped: Dropped): void {
    this.status({ type: 'gap', ...origin, cause: 'overflow', ...dropped, repaired: false });
  }

  expired(origin: ReportOrigin, message: Message): void {
    const { id = '', expires_at } = message;
    this.#log.write(
      'warn',
      origin.channel,
      { ...origin, id: printable(id), expires_at },
      'Command expired; it was not delivered.',
    );
    this.#events.emit('expired', { ...origin, message });
  }

  handlerError(origin: ReportOrigin, error: unknown, message: Message): void {
    this.#log.write(
      'error',
      origin.channel,
      { ...origin, err: loggableError(error) },
      'Message handler failed; the other handlers continue.',
    );
    this.#events.emit('handler_error', { ...origin, error, message });
  }

  /**
   * @param frame the first invalid message
   * @param count how many messages are invalid
   */
  invalid(channel: string, error: TickbusError, frame: Uint8Array, count: number): void {
    const preview = previewOf(frame);
    const text = 'Invalid message received; it was not delivered.';
    this.#log.write('warn', channel, { channel, reason: error.message, preview, count }, text);
    this.#events.emit('invalid_message', { channel, error, preview, count });
  }

  #logStatus(status: ChannelStatus): void {
    const { channel } = status;
    switch (status.type) {
      case 'gap':
        return this.#log.write(status.repaired ? 'info' : 'warn', channel, status, gapText(status));
      case 'recovery_failed': {
        const fields = { channel, err: status.error };
        return this.#log.write('error', channel, fields, 'Recovery failed: the channel could not be read.');
      }
      case 'demand_refused': {
        const text = 'Demand rejected: the keys of the subscriptions could not be declared to the gateway.';
        return this.#log.write('warn', channel, { channel, err: status.error }, text);
      }
      case 'forged':
        return this.#log.write('warn', channel, status, forgedText(status));
      case 'slow':
        return this.#log.write('warn', channel, status, SLOW_TEXTS[status.cause]);
      case 'definition_conflict': {
        const level = status.severity === 'error' ? 'error' : 'warn';
        return this.#log.write(level, channel, status, conflictText(status));
      }
      case 'values_evicted':
        return this.#log.write('warn', channel, status, EVICTED_TEXT);
      default:
        this.#debug(status, 'Channel state changed.');
    }
  }
}

const EVICTED_TEXT =
  'Latest values evicted: the channel has too many keys, so the least recently updated ones are no longer kept.';

/** The first bytes of a frame, and its size if it is longer. */
function previewOf(frame: Uint8Array): string {
  const beginning = printable(new TextDecoder().decode(frame.subarray(0, PREVIEW_BYTES)));
  return frame.byteLength > PREVIEW_BYTES ? `${beginning}... (${frame.byteLength} bytes)` : beginning;
}

function forgedText({ isProved }: Forged): string {
  return isProved
    ? 'Forged messages were received: their numbers were copied, invented, or come from another database of this server. ' +
        'Check which users may publish on this channel, and the database number of each program.'
    : 'Nothing proves which of the messages with these numbers are real. Check which users may publish on this channel.';
}

function gapText({ repaired, cause }: Gap): string {
  if (repaired) return 'Messages were missed; all were recovered and delivered in order.';
  if (cause === 'overflow') return 'Messages were dropped: the handler is too slow.';
  return cause === 'epoch'
    ? 'Another publisher, such as a gateway, took the channel over, or the server lost messages: how many is unknown.'
    : 'Messages were lost.';
}
