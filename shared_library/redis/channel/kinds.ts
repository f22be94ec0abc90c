// What a channel definition consists of: the kind, the framing, and the schemas of the messages.

import type { StandardSchemaV1 } from '@standard-schema/spec';

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

/** Schemas by message type: any Standard Schema (zod, valibot, arktype, ...) that validates synchronously. */
export type MessageSchemas = Readonly<Record<string, StandardSchemaV1>>;

/** The schemas of a channel of answers: each payload names its command, and the outcome. */
export type AnswerSchemas = Readonly<Record<string, StandardSchemaV1<unknown, AnswerFields>>>;

/**
 * The fields of an answer that `publisher.ask` reads. Of the outcomes, `accepted` announces another answer; `rejected`,
 * `expired` and `failed` are errors; any other one is a success.
 */
export interface AnswerFields {
  /** The `id` of the command's envelope. */
  readonly command_id: string;
  readonly outcome: string;
}
