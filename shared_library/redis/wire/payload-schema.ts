// Validates a payload against its Standard Schema. Source of the contract: https://standardschema.dev

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Channel } from '../channel/channel.ts';
import { MAX_KEY_LENGTH } from '../channel/limits.ts';
import { TickbusError } from '../errors.ts';
import { printable } from '../runtime/printable.ts';
import { type Envelope, invalidMessage } from './envelope.ts';
import type { Message } from './message.ts';

/**
 * The schema of a message type.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` if the channel has no such type
 */
export function schemaOf(channel: Channel, type: string): StandardSchemaV1 {
  // Own properties only: "toString" and "constructor" are not message types.
  const schema = Object.hasOwn(channel.messages, type) ? channel.messages[type] : undefined;
  if (schema !== undefined) return schema;
  const known = Object.keys(channel.messages).join(', ');
  throw invalidMessage(
    `is "${printable(String(type))}", which ${channel} does not define; it defines ${known}`,
    'message_type',
  );
}

/**
 * The output of the schema for a payload.
 *
 * @param schema pass it if it is already known
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` with the first invalid field; `TICKBUS_INVALID_OPTION` if the schema
 * returns a promise: asynchronous validation would break the order of messages. A synchronous Zod schema also returns
 * one if a refinement throws
 */
export function validatePayload(
  channel: Channel,
  type: string,
  data: unknown,
  schema: StandardSchemaV1 = schemaOf(channel, type),
): unknown {
  let result: ReturnType<StandardSchemaV1['~standard']['validate']>;
  try {
    result = schema['~standard'].validate(data);
  } catch (cause) {
    throw thrownError(`The schema of ${channel} "${type}"`, cause);
  }
  if (isThenable(result)) {
    // The promise is unused. Its rejection must not end the process.
    Promise.resolve(result).catch(() => {});
    throw new TickbusError(
      'TICKBUS_INVALID_OPTION',
      `The schema of ${channel} "${type}" is asynchronous, or threw an error. Use a synchronous schema.`,
    );
  }
  if (typeof result !== 'object' || result === null) {
    throw new TickbusError(
      'TICKBUS_INVALID_OPTION',
      `The schema of ${channel} "${type}" returned no Standard Schema result. Use one that implements Standard Schema.`,
    );
  }
  if (!result.issues) return result.value;
  const [issue] = result.issues;
  const field = ['data', ...(issue?.path ?? []).map(pathPart)].join('.');
  throw invalidMessage(
    `of a ${channel} "${type}" message is invalid: ${printable(issue?.message ?? 'rejected')}`,
    field,
  );
}

/**
 * The message that handlers receive, with the output of the schema as payload. The envelope itself becomes the message,
 * so the caller must not use it any more. Fields that only tickbus may set, such as `snapshot`, are removed.
 *
 * @throws TickbusError as `validatePayload`
 */
export function validMessage(
  channel: Channel,
  envelope: Envelope,
  schema: StandardSchemaV1 = schemaOf(channel, envelope.message_type),
): Message {
  const message = envelope as { -readonly [K in keyof Message]: Message[K] };
  message.data = validatePayload(channel, envelope.message_type, envelope.data, schema);
  if ('snapshot' in message) delete message.snapshot;
  if ('conflated' in message) delete message.conflated;
  if ('adopted' in message) delete message.adopted;
  return message;
}

/**
 * The key of a payload that may not have been validated yet; undefined on a channel without keys.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` if the payload has no key, or one of more than 256 UTF-16 units. If
 * the payload has no key and also violates the schema, the error reports the violation
 */
export function keyOfPayload(channel: Channel, type: string, data: Envelope['data']): string | undefined {
  if (!channel.keyed) return undefined;
  let key: string | undefined;
  try {
    key = channel.keyOf(data);
  } catch (cause) {
    throw thrownError(`The key function of ${channel}`, cause);
  }
  if (key !== undefined && key.length > MAX_KEY_LENGTH)
    throw invalidMessage(
      `of a ${channel} message has a key of ${key.length} characters; the limit is ${MAX_KEY_LENGTH}`,
      'data',
    );
  if (key !== undefined) return key;
  validatePayload(channel, type, data);
  throw invalidMessage(`of a ${channel} message has no key; the key must be a string or a number`, 'data');
}

/**
 * Attributes an exception of a schema or key function to the message: a faulty function looks the same as a bad
 * payload.
 */
function thrownError(source: string, cause: unknown): TickbusError {
  return new TickbusError('TICKBUS_INVALID_MESSAGE', `${source} threw an error. See \`cause\`.`, { cause });
}

function pathPart(part: PropertyKey | StandardSchemaV1.PathSegment): string {
  return String(typeof part === 'object' ? part?.key : part);
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
