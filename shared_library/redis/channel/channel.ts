// A channel is a value: its name, its delivery guarantee, and the schema of each of its message types.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { TickbusError } from '../errors.ts';
import { printable } from '../runtime/printable.ts';
import { checkChannelOptions } from './check-channel.ts';

/**
 * The delivery guarantee of a channel.
 *
 * - `state`: the newest value of each key matters. A late joiner starts with the last value of every key.
 * - `event`: every message matters. An optional bounded history on the server repairs short gaps.
 * - `command`: every message matters until it expires. Never redelivered.
 * - `plain`: bare Redis pub/sub without sequence numbers. Gaps cannot be detected.
 */
export type ChannelKind = 'state' | 'event' | 'command' | 'plain';

/**
 * What plain Redis clients receive: single messages (`message`), or batches of them as a JSON array (`batch`). Tickbus
 * subscribers decode both, whatever their own channel definition says. On a channel without plain clients, tickbus
 * subscribers may receive batches with either framing.
 */
export type Framing = 'message' | 'batch';

/** The part of a channel that a transport uses. */
export interface ChannelSpec {
  /** The name of the Redis channel. */
  readonly name: string;
  readonly kind: ChannelKind;
  /** Number of past messages that the server keeps (kind `event`). */
  readonly history: number;
  /** Default `message`. */
  readonly framing?: Framing;
}

/** Schemas by message type: any Standard Schema (zod, valibot, arktype, ...) that validates synchronously. */
export type MessageSchemas = Readonly<Record<string, StandardSchemaV1>>;

/**
 * A channel with the message types `M`. `D` is the `defaultType`, if it was given. Otherwise the default is the first
 * type of `messages`, which the compiler cannot identify, so `publish` then accepts the payload of any type.
 */
export interface Channel<M extends MessageSchemas = MessageSchemas, D extends string = string>
  extends ChannelSpec {
  readonly framing: Framing;
  readonly messages: M;
  /** The message type that `publish` uses by default: the given `defaultType`, else the first of `messages`. */
  readonly defaultType: D;
  /** Milliseconds after which a command is no longer delivered (kind `command`); undefined: never. */
  readonly expiresInMs: number | undefined;
  /**
   * Whether a gateway feeds the channel (kind `state`). Subscribers then declare which keys they want, and
   * FEED_STATUS reports whether the values are still current.
   */
  readonly gateway: boolean;
  /**
   * Milliseconds that a key may go without updates while its feed is alive; undefined: the `maxAgeMs` of the call.
   */
  readonly maxQuietMs: number | undefined;
  /** Whether messages have a key, so that subscriptions can filter by `keys`. */
  readonly keyed: boolean;
  /** The key of a payload; undefined if it has none. */
  keyOf(data: Readonly<Record<string, unknown>>): string | undefined;
  /** The name of the Redis channel, for use in template strings. */
  toString(): string;
}

/** The message types of a channel: `'price'` for PRICE_DATA. */
export type MessageType<C extends Channel> = Extract<keyof C['messages'], string>;

/** The message type that `publish` uses by default, as far as the compiler knows it. */
export type DefaultType<C extends Channel> = Extract<C['defaultType'], MessageType<C>>;

/** The payload that `publish` takes: the input type of the schema. */
export type PayloadInput<C extends Channel, T extends MessageType<C> = MessageType<C>> = {
  [K in T]: StandardSchemaV1.InferInput<C['messages'][K]>;
}[T];

/** The payload that a handler receives: the output type of the schema. */
export type Payload<C extends Channel, T extends MessageType<C> = MessageType<C>> = {
  [K in T]: StandardSchemaV1.InferOutput<C['messages'][K]>;
}[T];

/** The payload before validation. Keys are read from it, because a schema may transform it. */
type PayloadOf<M extends MessageSchemas> = StandardSchemaV1.InferInput<M[keyof M]>;

/** A string or number field that all message types have, or a function of the payload. */
type ChannelKey<M extends MessageSchemas> =
  | Extract<keyof PayloadOf<M>, string>
  | ((data: PayloadOf<M>) => string);

interface CommonOptions<M extends MessageSchemas> {
  /** Message types and their schemas. */
  messages: M;
}

interface FramingOption {
  /**
   * `batch` always sends messages that are published together as one JSON array, which plain Redis clients have to
   * parse. `message` sends plain clients single messages, and batches only if all subscribers use tickbus. Default
   * `message`.
   */
  framing?: Framing;
}

export type ChannelOptions<M extends MessageSchemas> =
  | (CommonOptions<M> &
      FramingOption & {
        kind: 'state';
        key: ChannelKey<M>;
        /** Whether a gateway feeds the channel. Default false. */
        gateway?: boolean;
        /**
         * Milliseconds without an update after which the verdict on a key is `quiet_market`, although its feed is
         * alive. A subscription or a call can set another bound. Default: the `maxAgeMs` of the call.
         */
        maxQuietMs?: number;
      })
  | (CommonOptions<M> &
      FramingOption & {
        kind: 'event';
        key?: ChannelKey<M>;
        /** Number of past messages that the server keeps, 0 to 100,000. Default 0. */
        history?: number;
      })
  | (CommonOptions<M> & {
      kind: 'command';
      key?: ChannelKey<M>;
      /** Milliseconds until a command expires, unless `publish` overrides it. Default: never. */
      expiresInMs?: number;
    })
  | (CommonOptions<M> & FramingOption & { kind: 'plain'; key?: ChannelKey<M> });

/**
 * Defines a channel. Payload types are inferred from the schemas, in `publish` and in handlers.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION` if the name, a message type, the key or a limit is invalid
 *
 * @example
 * const fill = z.object({ order: z.string() });
 * const FILLS = defineChannel('FILLS', { kind: 'event', history: 1000, messages: { fill } });
 */
export function defineChannel<
  const M extends MessageSchemas,
  const D extends Extract<keyof M, string> = Extract<keyof M, string>,
>(
  name: string,
  options: ChannelOptions<M> & {
    /** The message type that `publish` uses by default. Default: the first of `messages`. */
    defaultType?: D;
  },
): Channel<M, D> {
  return Object.freeze(new DefinedChannel<M, D>(name, options));
}

/**
 * The spec of a job's lease. Its name on the server has the prefix `job:`, which distinguishes it from a channel of
 * the same name.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION` if the name is invalid
 */
export function jobSpec(name: string): ChannelSpec {
  if (isUsableName(name)) return Object.freeze({ name: `job:${name}`, kind: 'plain', history: 0 });
  const text = `The job name "${printable(String(name))}" is invalid. ${NAME_ADVICE}`;
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
    checkChannelOptions(this.name, options);
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
      throw invalid(
        name,
        'is of kind "state" and has no `key`. Name the field that identifies a value, such as `symbol`.',
      );
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

const NAME_ADVICE = 'Use 1 to 128 characters without spaces, braces or control characters.';

function isUsableName(name: string): boolean {
  return typeof name === 'string' && /^[^\s{}\p{Cc}\p{Cs}]{1,128}$/u.test(name);
}

function checkedName(name: string): string {
  if (isUsableName(name)) return name;
  throw invalid(String(name), `has an invalid name. ${NAME_ADVICE}`);
}

const KINDS: readonly ChannelKind[] = ['state', 'event', 'command', 'plain'];

function checkedKind(name: string, kind: ChannelKind): ChannelKind {
  if (KINDS.includes(kind)) return kind;
  throw invalid(name, `has the unknown kind "${printable(String(kind))}". Use one of ${KINDS.join(', ')}.`);
}

function checkedTypes(name: string, messages: MessageSchemas, defaultType: string | undefined): string {
  const types = Object.keys(messages ?? {});
  for (const type of types) {
    if (!/^[A-Za-z][\w.-]{0,127}$/.test(type)) {
      throw invalid(
        name,
        `has the invalid message type "${printable(type)}". Use a letter, then letters, digits, "_", "." and "-".`,
      );
    }
    if (typeof messages[type]?.['~standard']?.validate !== 'function') {
      throw invalid(
        name,
        `has no Standard Schema for the message type "${type}". Give it one, such as a zod schema.`,
      );
    }
  }
  const [first] = types;
  if (first === undefined) {
    throw invalid(name, 'has no message types. Define at least one, as in `messages: { price: schema }`.');
  }
  if (defaultType === undefined || types.includes(defaultType)) return defaultType ?? first;
  throw invalid(
    name,
    `has no message type "${printable(defaultType)}", its \`defaultType\`. Use one of ${types.join(', ')}.`,
  );
}

function checkedHistory(name: string, history: number): number {
  if (Number.isInteger(history) && history >= 0 && history <= MAX_HISTORY) return history;
  throw invalid(name, `has the invalid history ${history}. Use a whole number from 0 to ${MAX_HISTORY}.`);
}

function checkedFraming(name: string, options: { kind: ChannelKind; framing?: Framing }): Framing {
  const { kind, framing = 'message' } = options;
  if (framing !== 'message' && framing !== 'batch')
    throw invalid(name, `has the unknown framing "${printable(String(framing))}". Use "message" or "batch".`);
  if (framing === 'batch' && kind === 'command')
    throw invalid(name, 'is of kind "command", which does not support `framing: "batch"`. Remove `framing`.');
  return framing;
}

function checkedDuration(name: string, field: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return value;
  throw invalid(name, `has the invalid ${field} ${value}. Use a number of milliseconds above 0.`);
}

function invalid(name: string, problem: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `The channel "${printable(name)}" ${problem}`);
}
