// A channel is a value: its name, its delivery guarantee, and the schema of each of its message types.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { TickbusError } from '../errors.ts';
import { printable } from '../runtime/printable.ts';
import { checkChannelOptions } from './check-channel.ts';
import { definitionText } from './definition.ts';
import {
  checkedAdopt,
  checkedAnswers,
  checkedDuration,
  checkedFraming,
  checkedKind,
  checkedName,
  checkedPartitions,
  checkedTypes,
  invalid,
  isUsableName,
  NAME_ADVICE,
} from './definition-checks.ts';
import { checkedHistory, type HistoryOptions } from './history.ts';
import type { AnswerSchemas, ChannelKind, Framing, MessageSchemas } from './kinds.ts';

export type { HistoryOptions } from './history.ts';
export type { AnswerSchemas, ChannelKind, Framing, MessageSchemas } from './kinds.ts';

/** The part of a channel that a transport uses. */
export interface ChannelSpec {
  /** The name of the Redis channel. */
  readonly name: string;
  readonly kind: ChannelKind;
  /** Number of past messages that the server keeps (kind `event`). */
  readonly history: number;
  /** Number of past messages that the server keeps of each key (kind `event`); undefined: it has no history by key. */
  readonly historyPerKey?: number | undefined;
  /** Default `message`. */
  readonly framing?: Framing;
  /**
   * The number of partitions of the channel for which messages of this spec are routed. Default 1: it is the channel
   * itself. See `partitionSpecs`.
   */
  readonly layout?: number;
  /** What stands at the head of the channel about its definition (`definitionText`); undefined: nothing. */
  readonly definition?: string | undefined;
}

/**
 * A channel with the message types `M`. `D` is the `defaultType`, if it was given. Otherwise the default is the first
 * type of `messages`, which the compiler cannot identify, so `publish` then accepts the payload of any type.
 */
export interface Channel<
  M extends MessageSchemas = MessageSchemas,
  D extends string = string,
  A extends AnswerSchemas | undefined = AnswerSchemas | undefined,
> extends ChannelSpec {
  readonly framing: Framing;
  readonly messages: M;
  /** The message type that `publish` uses by default: the given `defaultType`, else the first of `messages`. */
  readonly defaultType: D;
  /** Milliseconds after which a command is no longer delivered (kind `command`); undefined: never. */
  readonly expiresInMs: number | undefined;
  /**
   * Whether a gateway feeds the channel (kinds `state` and `event`). Subscribers then declare which keys they want. On
   * a `state` channel, FEED_STATUS reports whether the values are still current.
   */
  readonly gateway: boolean;
  /**
   * Milliseconds that a key may go without updates while its feed is alive; undefined: the `maxAgeMs` of the call.
   */
  readonly maxQuietMs: number | undefined;
  /** Whether subscribers with the option `adopt` keep messages of plain clients as last values (kind `state`). */
  readonly adopt: boolean;
  /** The channel on which the receivers of a command answer (kind `command`), for `publisher.ask`. */
  readonly answers: A extends AnswerSchemas ? Channel<A> : undefined;
  /** Whether messages have a key, so that subscriptions can filter by `keys`. */
  readonly keyed: boolean;
  /** The number of partitions that a writer gives the channel; undefined: as many as the channel has on the server. */
  readonly partitions: number | undefined;
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

/** The answer to a command of this channel: the payload of its `answers` channel. */
export type Answer<C extends Channel> =
  C['answers'] extends Channel<infer A> ? StandardSchemaV1.InferOutput<A[keyof A]> : never;

/** The payload before validation. Keys are read from it, because a schema may transform it. */
type PayloadOf<M extends MessageSchemas> = StandardSchemaV1.InferInput<M[keyof M]>;

/** A string or number field that all message types have, or a function of the payload. */
type ChannelKey<M extends MessageSchemas> =
  | Extract<keyof PayloadOf<M>, string>
  | ((data: PayloadOf<M>) => string);

interface AnswersOption<A extends AnswerSchemas> {
  /**
   * The `event` channel on which the receiver of a command answers, for `publisher.ask`. The payload of each of its
   * message types has `command_id`, the `id` of the command, and `outcome`. Give it a `history`, so that a dropped link
   * loses no answer. Default: none.
   */
  answers?: Channel<A> | undefined;
}

interface CommonOptions<M extends MessageSchemas> {
  /** Message types and their schemas. */
  messages: M;
  /**
   * Splits the channel by key into this many partitions, 1 to 256: a subscriber that names keys receives only their
   * partitions. The writer decides: a publisher with a lease changes the number on the server, and subscribers follow.
   * Default: the number that the channel has on the server, which is 1 unless a writer has set it.
   */
  partitions?: number;
}

interface FramingOption {
  /**
   * `batch` always sends messages that are published together as one JSON array, which plain Redis clients have to
   * parse. `message` sends plain clients single messages, and batches only if all subscribers use tickbus. Default
   * `message`.
   */
  framing?: Framing;
}

export type ChannelOptions<M extends MessageSchemas, A extends AnswerSchemas = AnswerSchemas> =
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
        /**
         * Whether messages of plain clients, which have no number, become last values: marked `adopted: true`, and only
         * while a subscriber with the option `adopt` hears them, such as the monitor or a gateway. Not for channels
         * that a gateway feeds. Default false.
         */
        adopt?: boolean;
      })
  | (CommonOptions<M> &
      FramingOption & {
        kind: 'event';
        key?: ChannelKey<M>;
        /** Whether a gateway feeds the channel, so that subscribers declare their `keys` to it. Default false. */
        gateway?: boolean;
        /**
         * Number of past messages that the server keeps, 0 to 100,000; or `{ perKey: 500 }`, to keep that many of each
         * key besides. They repair gaps, and a subscription with `from` begins with them. Default 0.
         */
        history?: number | HistoryOptions;
      })
  | (CommonOptions<M> &
      AnswersOption<A> & {
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
  A extends AnswerSchemas | undefined = undefined,
>(
  name: string,
  options: ChannelOptions<M, NonNullable<A>> & {
    /** The message type that `publish` uses by default. Default: the first of `messages`. */
    defaultType?: D;
  },
): Channel<M, D, A> {
  return Object.freeze(new DefinedChannel<M, D>(name, options)) as Channel<M, D> as Channel<M, D, A>;
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

class DefinedChannel<M extends MessageSchemas, D extends string> implements Channel<M, D> {
  readonly name: string;
  readonly kind: ChannelKind;
  readonly messages: M;
  readonly defaultType: D;
  readonly history: number;
  readonly historyPerKey: number | undefined;
  readonly expiresInMs: number | undefined;
  readonly gateway: boolean;
  readonly maxQuietMs: number | undefined;
  readonly adopt: boolean;
  readonly framing: Framing;
  readonly partitions: number | undefined;
  readonly answers: Channel<AnswerSchemas> | undefined;
  readonly definition: string;
  readonly #key: ChannelKey<M> | undefined;

  constructor(name: string, options: ChannelOptions<M> & { defaultType?: D }) {
    this.name = checkedName(name);
    checkChannelOptions(this.name, options);
    this.kind = checkedKind(name, options.kind);
    this.messages = options.messages;
    this.defaultType = checkedTypes(name, options.messages, options.defaultType) as D;
    const { history, historyPerKey } = checkedHistory(name, options.kind === 'event' ? options : {});
    this.history = history;
    this.historyPerKey = historyPerKey;
    this.expiresInMs =
      options.kind === 'command' ? checkedDuration(name, 'expiresInMs', options.expiresInMs) : undefined;
    this.gateway = (options.kind === 'state' || options.kind === 'event') && options.gateway === true;
    this.maxQuietMs =
      options.kind === 'state' ? checkedDuration(name, 'maxQuietMs', options.maxQuietMs) : undefined;
    this.adopt = options.kind === 'state' && checkedAdopt(name, options);
    this.framing = checkedFraming(name, options);
    this.partitions = checkedPartitions(name, options);
    this.answers = checkedAnswers(name, options);
    this.#key = options.key;
    this.definition = definitionText({ kind: this.kind, key: options.key, history, historyPerKey });
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
