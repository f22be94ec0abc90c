// A channel is a value: its name, what its delivery means, and the schema of every message type on it.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { TickbusError } from '../errors.ts';
import { printable } from '../runtime/printable.ts';

/**
 * What a channel's delivery means.
 *
 * - `state`: the newest value of each key counts. A late joiner starts with the last value of every key.
 * - `event`: every message counts. A bounded history can be kept, so that a short loss is repaired.
 * - `command`: every message counts, but only while it is fresh. Never delivered again later.
 * - `plain`: bare Redis pub/sub, unnumbered; losses cannot be detected.
 */
export type ChannelKind = 'state' | 'event' | 'command' | 'plain';

/**
 * What a plain Redis client is sent as one message: a message of ours (`message`), or a whole batch of them as a JSON array (`batch`).
 * Subscribers understand both, whatever their own definition of the channel says. Where nobody else listens, they are sent batches either way.
 */
export type Framing = 'message' | 'batch';

/** What a transport needs to know of a channel. */
export interface ChannelSpec {
  /** The name of the Redis channel. */
  readonly name: string;
  readonly kind: ChannelKind;
  /** How many past messages the server keeps (kind `event`); 0 keeps none. */
  readonly history: number;
  /** How its messages are sent. Left out: `message`. */
  readonly framing?: Framing;
}

/** Message types by name; any Standard Schema (zod, valibot, arktype, ...) that validates synchronously. */
export type MessageSchemas = Readonly<Record<string, StandardSchemaV1>>;

/**
 * A channel of the message types `M`. `D` names the type that `publish` uses when none is named: the `defaultType`, where one is
 * given. Without it that is the first type, which the compiler cannot tell from the others: it then takes the payload of any.
 */
export interface Channel<M extends MessageSchemas = MessageSchemas, D extends string = string>
  extends ChannelSpec {
  readonly framing: Framing;
  readonly messages: M;
  /** The type that `publish` uses when none is named: the one given, else the first one defined. */
  readonly defaultType: D;
  /** Milliseconds after which a message of a `command` channel is no longer delivered; undefined: it never expires. */
  readonly expiresInMs: number | undefined;
  /**
   * Whether a gateway feeds it (kind `state`): subscribers declare on the server which keys they want, and FEED_STATUS tells whether its
   * values are still true.
   */
  readonly gateway: boolean;
  /** For how many milliseconds a key may be quiet while its feed is alive; undefined: no longer than it may be old. */
  readonly maxQuietMs: number | undefined;
  /** Whether messages carry a key, so that subscriptions can ask for `keys`. */
  readonly keyed: boolean;
  /** The key of a payload; undefined where the payload has none. */
  keyOf(data: Readonly<Record<string, unknown>>): string | undefined;
  /** The name of the Redis channel, so that a channel can stand in a template string. */
  toString(): string;
}

/** The message types of a channel: `'price'` for PRICE_DATA. */
export type MessageType<C extends Channel> = Extract<keyof C['messages'], string>;

/** The message type that `publish` uses when none is named, as far as the compiler knows. */
export type DefaultType<C extends Channel> = Extract<C['defaultType'], MessageType<C>>;

/** What may be published: the input side of the schema. */
export type PayloadInput<C extends Channel, T extends MessageType<C> = MessageType<C>> = {
  [K in T]: StandardSchemaV1.InferInput<C['messages'][K]>;
}[T];

/** What a handler receives: the output side of the schema. */
export type Payload<C extends Channel, T extends MessageType<C> = MessageType<C>> = {
  [K in T]: StandardSchemaV1.InferOutput<C['messages'][K]>;
}[T];

/** The payload as it is sent: keys are read from it before a schema changes anything. */
type PayloadOf<M extends MessageSchemas> = StandardSchemaV1.InferInput<M[keyof M]>;

/** The name of a string or number field that every message type of the channel has, or a function of the payload. */
type ChannelKey<M extends MessageSchemas> =
  | Extract<keyof PayloadOf<M>, string>
  | ((data: PayloadOf<M>) => string);

interface CommonOptions<M extends MessageSchemas> {
  /** Message types and their schemas. */
  messages: M;
}

interface FramingOption {
  /**
   * `batch` sends what is published at the same time as one message of Redis, a JSON array, whoever listens: a plain Redis client sees an
   * array. With `message` he is sent each by itself, and only where nobody but our subscribers listens are they sent batches. Default `message`.
   */
  framing?: Framing;
}

export type ChannelOptions<M extends MessageSchemas> =
  | (CommonOptions<M> &
      FramingOption & {
        kind: 'state';
        key: ChannelKey<M>;
        /** A gateway feeds it. Default false. */
        gateway?: boolean;
        /** Milliseconds that a key may be quiet while its feed is alive. Default: no longer than it may be old. */
        maxQuietMs?: number;
      })
  | (CommonOptions<M> &
      FramingOption & {
        kind: 'event';
        key?: ChannelKey<M>;
        /** Past messages to keep on the server, 0 to 100,000. Default 0. */
        history?: number;
      })
  | (CommonOptions<M> & {
      kind: 'command';
      key?: ChannelKey<M>;
      /** Milliseconds until a command expires, unless `publish` says otherwise. Default: never. */
      expiresInMs?: number;
    })
  | (CommonOptions<M> & FramingOption & { kind: 'plain'; key?: ChannelKey<M> });

/**
 * Defines a channel. Payload types are inferred from the schemas, in `publish` and in handlers.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION` when the name, a message type, the key or a limit is unusable.
 *
 * @example
 * const FILLS = defineChannel('FILLS', { kind: 'event', history: 1000, messages: { fill: z.object({ order: z.string() }) } });
 */
export function defineChannel<
  const M extends MessageSchemas,
  const D extends Extract<keyof M, string> = Extract<keyof M, string>,
>(
  name: string,
  options: ChannelOptions<M> & {
    /** The type that `publish` uses when none is named. Default: the first of `messages`. */
    defaultType?: D;
  },
): Channel<M, D> {
  return Object.freeze(new DefinedChannel<M, D>(name, options));
}

/**
 * What the lease of a job is called on the server: it shares no name with a channel.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION` when the name is unusable
 */
export function jobSpec(name: string): ChannelSpec {
  if (isUsableName(name)) return Object.freeze({ name: `job:${name}`, kind: 'plain', history: 0 });
  const text = `The job "${printable(String(name))}" has no usable name. ${NAME_ADVICE}`;
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'name' });
}

const MAX_HISTORY = 100_000;

class DefinedChannel<M extends MessageSchemas, D extends string> implements Channel<M, D> {
  readonly name: string;
  readonly kind: ChannelKind;
  readonly messages: M;
  readonly defaultType: D;
  readonly history: number;
  readonly expiresInMs: number | undefined;
  readonly gateway: boolean;
  readonly maxQuietMs: number | undefined;
  readonly framing: Framing;
  readonly #key: ChannelKey<M> | undefined;

  constructor(name: string, options: ChannelOptions<M> & { defaultType?: D }) {
    this.name = checkedName(name);
    this.kind = checkedKind(name, options.kind);
    this.messages = options.messages;
    this.defaultType = checkedTypes(name, options.messages, options.defaultType) as D;
    this.history = options.kind === 'event' ? checkedHistory(name, options.history ?? 0) : 0;
    this.expiresInMs =
      options.kind === 'command' ? checkedDuration(name, 'expiresInMs', options.expiresInMs) : undefined;
    this.gateway = options.kind === 'state' && options.gateway === true;
    this.maxQuietMs =
      options.kind === 'state' ? checkedDuration(name, 'maxQuietMs', options.maxQuietMs) : undefined;
    this.framing = checkedFraming(name, options);
    this.#key = options.key;
    if (options.kind === 'state' && this.#key === undefined) {
      throw invalid(name, 'is of kind "state" and needs a `key`: the field whose newest value counts.');
    }
  }

  get keyed(): boolean {
    return this.#key !== undefined;
  }

  keyOf(data: Readonly<Record<string, unknown>>): string | undefined {
    const key = this.#key;
    if (key === undefined) return undefined;
    const value = typeof key === 'function' ? key(data as PayloadOf<M>) : data[key];
    if (typeof value === 'string') return value;
    return typeof value === 'number' ? String(value) : undefined;
  }

  toString(): string {
    return this.name;
  }
}

const NAME_ADVICE = 'Use 1 to 128 characters without blanks, braces or control characters.';

function isUsableName(name: string): boolean {
  return typeof name === 'string' && /^[^\s{}\p{Cc}\p{Cs}]{1,128}$/u.test(name);
}

function checkedName(name: string): string {
  if (isUsableName(name)) return name;
  throw invalid(String(name), `has no usable name. ${NAME_ADVICE}`);
}

const KINDS: readonly ChannelKind[] = ['state', 'event', 'command', 'plain'];

function checkedKind(name: string, kind: ChannelKind): ChannelKind {
  if (KINDS.includes(kind)) return kind;
  throw invalid(name, `has the kind "${printable(String(kind))}". Use one of ${KINDS.join(', ')}.`);
}

function checkedTypes(name: string, messages: MessageSchemas, defaultType: string | undefined): string {
  const types = Object.keys(messages ?? {});
  for (const type of types) {
    if (!/^[A-Za-z][\w.-]{0,127}$/.test(type)) {
      throw invalid(
        name,
        `has the message type "${printable(type)}". Use letters, digits, "_", "." and "-", a letter first.`,
      );
    }
    if (typeof messages[type]?.['~standard']?.validate !== 'function') {
      throw invalid(name, `needs a Standard Schema (such as a zod schema) for the message type "${type}".`);
    }
  }
  const [first] = types;
  if (first === undefined) {
    throw invalid(name, 'has no message types. Give it at least one, as in `messages: { price: schema }`.');
  }
  if (defaultType === undefined || types.includes(defaultType)) return defaultType ?? first;
  throw invalid(
    name,
    `has no message type "${printable(defaultType)}" to be its default. It has ${types.join(', ')}.`,
  );
}

function checkedHistory(name: string, history: number): number {
  if (Number.isInteger(history) && history >= 0 && history <= MAX_HISTORY) return history;
  throw invalid(name, `has the history ${history}. Use a whole number from 0 to ${MAX_HISTORY}.`);
}

function checkedFraming(name: string, options: { kind: ChannelKind; framing?: Framing }): Framing {
  const { kind, framing = 'message' } = options;
  if (framing !== 'message' && framing !== 'batch')
    throw invalid(name, `has the framing "${printable(String(framing))}". Use "message" or "batch".`);
  if (framing === 'batch' && kind === 'command')
    throw invalid(name, 'is of kind "command", whose messages are sent one by one. Leave `framing` out.');
  return framing;
}

function checkedDuration(name: string, field: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return value;
  throw invalid(name, `has ${field} ${value}. Use a number of milliseconds above 0.`);
}

function invalid(name: string, what: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `The channel "${printable(name)}" ${what}`);
}
