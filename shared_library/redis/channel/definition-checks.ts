// Checks of a channel definition. Each returns the checked value or throws TICKBUS_INVALID_OPTION.

import { TickbusError } from '../errors.ts';
import { printable } from '../runtime/printable.ts';
import type { ChannelKind, Framing, MessageSchemas } from './kinds.ts';
import { MAX_PARTITIONS, parsePartitionName } from './partitions.ts';

export const NAME_ADVICE = 'Use 1 to 128 characters without spaces, braces or control characters.';

export function isUsableName(name: string): boolean {
  return typeof name === 'string' && /^[^\s{}\p{Cc}\p{Cs}]{1,128}$/u.test(name);
}

export function checkedName(name: string): string {
  if (isUsableName(name) && parsePartitionName(name) !== undefined)
    throw invalid(name, 'has the name of a partition, such as "PRICES#3/16". Use another name.');
  if (isUsableName(name)) return name;
  throw invalid(String(name), `has an invalid name. ${NAME_ADVICE}`);
}

const KINDS: readonly ChannelKind[] = ['state', 'event', 'command', 'plain'];

export function checkedKind(name: string, kind: ChannelKind): ChannelKind {
  if (KINDS.includes(kind)) return kind;
  throw invalid(name, `has the unknown kind "${printable(String(kind))}". Use one of ${KINDS.join(', ')}.`);
}

export function checkedTypes(
  name: string,
  messages: MessageSchemas,
  defaultType: string | undefined,
): string {
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

export function checkedFraming(name: string, options: { kind: ChannelKind; framing?: Framing }): Framing {
  const { kind, framing = 'message' } = options;
  if (framing !== 'message' && framing !== 'batch')
    throw invalid(name, `has the unknown framing "${printable(String(framing))}". Use "message" or "batch".`);
  if (framing === 'batch' && kind === 'command')
    throw invalid(name, 'is of kind "command", which does not support `framing: "batch"`. Remove `framing`.');
  return framing;
}

export function checkedPartitions(
  name: string,
  { kind, key, partitions }: { kind: ChannelKind; key?: unknown; partitions?: number },
): number | undefined {
  if (partitions === undefined) return undefined;
  if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= MAX_PARTITIONS)) {
    const value = printable(String(partitions));
    throw invalid(name, `has invalid partitions: ${value}. Use a whole number from 1 to ${MAX_PARTITIONS}.`);
  }
  if (kind === 'plain' && partitions > 1)
    throw invalid(name, 'is of kind "plain", which has no partitions. Remove `partitions`.');
  if (key === undefined && partitions > 1)
    throw invalid(name, 'has partitions and no `key`. Name the field by which messages are distributed.');
  return partitions;
}

export function checkedAnswers<A extends { readonly kind: ChannelKind }>(
  name: string,
  { kind, answers }: { kind: ChannelKind; answers?: A | undefined },
): A | undefined {
  if (answers === undefined) return undefined;
  if (kind !== 'command')
    throw invalid(name, `is of kind "${kind}", and only commands have \`answers\`. Remove the option.`);
  if (answers?.kind === 'event') return answers;
  throw invalid(name, 'has `answers` that are no channel of kind "event". Use one, such as COMMAND_RESULTS.');
}

export function checkedAdopt(
  name: string,
  { adopt = false, gateway }: { adopt?: boolean; gateway?: boolean },
): boolean {
  if (typeof adopt !== 'boolean')
    throw invalid(name, `has the invalid adopt ${printable(String(adopt))}. Use true or false.`);
  if (adopt && gateway === true)
    throw invalid(
      name,
      'has `adopt`, and a gateway feeds it, which alone writes its values. Remove one of both.',
    );
  return adopt;
}

export function checkedDuration(name: string, field: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return value;
  throw invalid(name, `has the invalid ${field} ${value}. Use a number of milliseconds above 0.`);
}

export function invalid(name: string, problem: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `The channel "${printable(name)}" ${problem}`);
}
