// The error class of tickbus, its codes, and which of them can be retried.

/** Codes are stable. The message is for people and may change. */
export type ErrorCode =
  /** An option or an environment variable is invalid. */
  | 'TICKBUS_INVALID_OPTION'
  /** A message violates its schema or a limit; `field` is the path of the value. Nothing was sent. */
  | 'TICKBUS_INVALID_MESSAGE'
  /** The first connection failed. */
  | 'TICKBUS_CONNECT_FAILED'
  /** The server rejected the user or the password. */
  | 'TICKBUS_AUTH_FAILED'
  /** The TLS connection failed because of a certificate or a TLS setting of either side. */
  | 'TICKBUS_TLS_FAILED'
  /** The user lacks the permission for the command, the key or the channel, or the server does not have the command. */
  | 'TICKBUS_DENIED'
  /**
   * The link is down, or its server does not serve the channel now: its slot is moving, it became a replica, or it is
   * loading. Nothing was published and nothing is queued.
   */
  | 'TICKBUS_NOT_CONNECTED'
  /**
   * The message waited for the link or an unanswered call, its batch met three link drops, or the server refused
   * messages of another partition that were sent with it, while later ones were in flight. Nothing was published.
   */
  | 'TICKBUS_NOT_SENT'
  /** The queue exceeds `maxPendingBytes`. Nothing was sent. */
  | 'TICKBUS_BACKLOG_FULL'
  /** A limit on the number of keys is reached; the message names it. A call that would exceed it has no effect. */
  | 'TICKBUS_LIMIT_EXCEEDED'
  /**
   * The message was sent, but its outcome is unknown: it may or may not have been published. Or it was published, and
   * too few replicas have confirmed it.
   */
  | 'TICKBUS_OUTCOME_UNKNOWN'
  /**
   * Another process holds the channel's lease or died without releasing it, or the caller's lease is not held. Nothing
   * was published.
   */
  | 'TICKBUS_FENCED'
  /**
   * The server replied with an error, or its data cannot be used; the message says which. Nothing was published.
   */
  | 'TICKBUS_SERVER_ERROR'
  /** Another program has this name, and the caller wants it for itself (`uniqueName`). Nothing was started. */
  | 'TICKBUS_NAME_TAKEN'
  /** Nobody of that name listens, so nobody has received the command that was asked for. */
  | 'TICKBUS_ABSENT'
  /** The receiver has rejected the command, and done nothing. */
  | 'TICKBUS_REJECTED'
  /** The command was too late when its turn came. The receiver has done nothing. */
  | 'TICKBUS_EXPIRED'
  /** The receiver has tried to carry out the command, without success. */
  | 'TICKBUS_FAILED'
  /** The command was published, and no answer arrived in time: whether it was carried out is unknown. */
  | 'TICKBUS_NO_ANSWER'
  /** A value is not proven to be fresh (`StaleDataError`). */
  | 'TICKBUS_STALE_DATA'
  /** The publisher, subscriber, lease or connection is closed, or the read was cancelled. */
  | 'TICKBUS_CLOSED';

export interface TickbusErrorOptions {
  /** The underlying error, if any. */
  cause?: unknown;
  /** The path of the invalid value, as in `data.price` or `REDIS_PORT`, or a Redis key with a foreign value. */
  field?: string;
  /** The id of a command that was sent: its outcome is unknown, or the answer says it. */
  messageId?: string;
}

/** Every error that tickbus throws or reports. */
export class TickbusError extends Error {
  readonly code: ErrorCode;
  /** Whether the same call may succeed later, without the risk of taking effect twice. */
  readonly retryable: boolean;
  /** The path of the invalid value, if any. */
  readonly field: string | undefined;
  /**
   * The id of a command that was sent: its outcome is unknown, or an answer says it. A retry with this id takes effect
   * at most once.
   */
  readonly messageId: string | undefined;

  constructor(code: ErrorCode, message: string, options: TickbusErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TickbusError';
    this.code = code;
    this.retryable = RETRYABLE.has(code);
    this.field = options.field;
    this.messageId = options.messageId;
  }

  /** The `message` of an Error is not enumerable, so `JSON.stringify` would omit it. */
  toJSON(): object {
    const { name, code, message, retryable, field, messageId } = this;
    return {
      name,
      code,
      message,
      retryable,
      ...(field === undefined ? {} : { field }),
      ...(messageId === undefined ? {} : { messageId }),
    };
  }
}

/** Excludes OUTCOME_UNKNOWN: sending again could publish twice. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TICKBUS_CONNECT_FAILED',
  'TICKBUS_NOT_CONNECTED',
  'TICKBUS_NOT_SENT',
  'TICKBUS_BACKLOG_FULL',
  'TICKBUS_NAME_TAKEN',
  'TICKBUS_STALE_DATA',
  'TICKBUS_ABSENT',
  'TICKBUS_EXPIRED',
]);
