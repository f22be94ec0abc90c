// A complaint: what a program says at the head of a channel whose recorded definition contradicts its own, so that the
// program that was there first learns of it.

import {
  type DefinitionConflict,
  type DefinitionField,
  definitionConflict,
  MAX_DEFINITION_LENGTH,
  storedKeyConflict,
  withAuthor,
} from './definition.ts';

/** What a definition says, and the number of partitions that it asks for. */
export interface Complainant {
  readonly name: string;
  readonly definition?: string | undefined;
  readonly partitions?: number | undefined;
}

/** Stands before the time at which the server received the complaint, in Unix milliseconds. */
export const COMPLAINT_TIME = 'at=';
/** A complaint counts for this time, in milliseconds. */
const MAX_AGE_MS = 600_000;
/** Shows that a stored message has another key, because definitions whose keys are functions have equal texts. */
const OTHER_KEY = ' fields=key';
const CONTRADICTIONS: readonly DefinitionField[] = ['kind', 'key', 'partitions'];

/**
 * The own definition and its author, such as `kind=state key=symbol by=momentum`. The server puts the time in front.
 * Undefined for a difference that harms nobody, such as another length of the history.
 */
export function complaintText(
  own: Complainant,
  { severity, fields, example }: Pick<DefinitionConflict, 'severity' | 'fields' | 'example'>,
  author: string,
): string | undefined {
  const hasPartitions = fields.includes('partitions');
  if (own.definition === undefined || (severity !== 'error' && !hasPartitions)) return undefined;
  const layout = hasPartitions ? ` partitions=${own.partitions ?? 1}` : '';
  return withAuthor(`${own.definition}${layout}${example === undefined ? '' : OTHER_KEY}`, author);
}

/** The text that the server keeps. */
export function timedComplaint(text: string, at: number): string {
  return `${COMPLAINT_TIME}${Math.floor(at)} ${text}`;
}

/**
 * What a complaint says to a publisher. Undefined if it is old or unreadable, if both agree, or if they differ in
 * details only. Anybody who may write to the head can write any text there.
 *
 * @param head the time of the server, in Unix milliseconds, and the number of partitions of the channel
 */
export function complaintConflict(
  own: Complainant,
  complaint: string,
  { at, partitions = 1 }: { readonly at: number; readonly partitions?: number },
): DefinitionConflict | undefined {
  const [, leftAt, text = ''] = /^at=(\d{1,15}) (.+)/.exec(complaint.slice(0, MAX_DEFINITION_LENGTH)) ?? [];
  if (leftAt === undefined || Math.abs(at - Number(leftAt)) > MAX_AGE_MS) return undefined;
  const theirs = Number(/ partitions=(\d{1,3})(?: |$)/.exec(text)?.[1] ?? partitions);
  const definition = text.replace(/ partitions=\S*/, '').replace(OTHER_KEY, '');
  const roles = { isReader: false, partitions: theirs, ownPartitions: partitions };
  const conflict = definitionConflict(own, definition, roles) ?? otherKey(own, text, definition);
  if (!conflict?.fields.some((field) => CONTRADICTIONS.includes(field))) return undefined;
  const isError = conflict.fields.some((field) => field === 'kind' || field === 'key');
  return { ...conflict, severity: isError ? 'error' : conflict.severity };
}

/** The key is a function on one side, and a stored message has shown that they differ. */
function otherKey(own: Complainant, text: string, recorded: string): DefinitionConflict | undefined {
  return text.includes(OTHER_KEY) ? storedKeyConflict(own, recorded) : undefined;
}
