// The one error class of tickbus, its codes, and what each code says about trying again.

/** What went wrong. The code is stable; the message is for people and may change. */
export type ErrorCode =
  /** An option or an environment variable is unusable. */
  | 'TICKBUS_INVALID_OPTION'
  /** A message breaks its schema or a limit; `field` names the place. Nothing was sent. */
  | 'TICKBUS_INVALID_MESSAGE'
  /** The first connection failed. */
  | 'TICKBUS_CONNECT_FAILED'
  /** The server refused the user or the password. */
  | 'TICKBUS_AUTH_FAILED'
  /** The server knows the user but does not allow the command, the key or the channel. */
  | 'TICKBUS_DENIED'
  /** The link is down. Nothing was sent, nothing is queued. */
  | 'TICKBUS_NOT_CONNECTED'
  /** The message waited longer than the deadline for its turn. Nothing was sent. */
  | 'TICKBUS_NOT_SENT'
  /** More is waiting to be sent than `maxPendingBytes` allows. Nothing was sent. */
  | 'TICKBUS_BACKLOG_FULL'
  /** It was sent, and no reply came: it may or may not have been published. */
  | 'TICKBUS_OUTCOME_UNKNOWN'
  /** Somebody else holds the lease of the channel, or the caller's has ended. Nothing was published. */
  | 'TICKBUS_FENCED'
  /** The server answered with an error; the message repeats it. Nothing was published. */
  | 'TICKBUS_SERVER_ERROR'
  /** A value is not proved to be fresh (`StaleDataError`). */
  | 'TICKBUS_STALE_DATA'
  /** The publisher, subscriber or connection was closed before. */
  | 'TICKBUS_CLOSED';

export interface TickbusErrorOptions {
  /** What caused it, when something else failed first. */
  cause?: unknown;
  /** The path of the offending value, as in `data.price` or `REDIS_PORT`. */
  field?: string;
  /** The id of the command of which the outcome is unknown. */
  messageId?: string;
}

/** Every error that tickbus throws or reports. */
export class TickbusError extends Error {
  readonly code: ErrorCode;
  /** True where the same call may succeed later, unchanged, without the risk of doing something twice. */
  readonly retryable: boolean;
  /** The path of the offending value, when there is one. */
  readonly field: string | undefined;
  /** Of a command whose outcome is unknown: published again under this id, it has one effect. */
  readonly messageId: string | undefined;

  constructor(code: ErrorCode, message: string, options: TickbusErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TickbusError';
    this.code = code;
    this.retryable = RETRYABLE.has(code);
    this.field = options.field;
    this.messageId = options.messageId;
  }

  /** So that a status or an error written as JSON says what happened. */
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

/** OUTCOME_UNKNOWN is not among them: sending again could publish twice. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TICKBUS_CONNECT_FAILED',
  'TICKBUS_NOT_CONNECTED',
  'TICKBUS_NOT_SENT',
  'TICKBUS_BACKLOG_FULL',
  'TICKBUS_STALE_DATA',
]);
