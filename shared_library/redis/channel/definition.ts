// What a channel definition says about storage and delivery, as a text that stands at the head of the channel, and how
// two such texts differ. Schemas are not part of it: a message that violates one is reported by itself.

import { TickbusError } from '../errors.ts';
import { printable } from '../runtime/printable.ts';
import { parsePartitionName } from './partitions.ts';

export type DefinitionField = 'kind' | 'key' | 'partitions' | 'history' | 'historyPerKey';

/** Two programs define one channel differently. */
export interface DefinitionConflict {
  readonly channel: string;
  /** What differs. */
  readonly fields: readonly DefinitionField[];
  /**
   * - `error`: what is stored or delivered is wrong for one of them.
   * - `warning`: messages arrive as defined, and fewer of them may be stored.
   */
  readonly severity: 'error' | 'warning';
  /** The definition of this program, such as `kind=state key=symbol`. */
  readonly own: string;
  /** The definition that stands at the head of the channel. */
  readonly recorded: string;
  /** The program that recorded it: the sender of its first message, or the name of its connection. */
  readonly by: string | undefined;
  /** A stored message proves another key: the one under which it is stored, and the one that this program gives it. */
  readonly example?: { readonly stored: string; readonly own: string };
}

/** The key of a definition whose key is a function. It cannot be compared with another one. */
const FUNCTION = 'function()';
/** In characters. Keys of definitions are far shorter. Anybody who may write to the head can write any text there. */
export const MAX_DEFINITION_LENGTH = 2_000;
const MAX_AUTHOR = 128;

/** The text of a definition, such as `kind=event key=order history=1000`. Values are URI-encoded. */
export function definitionText(definition: {
  readonly kind: string;
  readonly key: unknown;
  readonly history: number;
  readonly historyPerKey: number | undefined;
}): string {
  const { kind, key = '', history, historyPerKey } = definition;
  const keyText = typeof key === 'function' ? FUNCTION : encoded(String(key));
  const lengths = [history > 0 && `history=${history}`, historyPerKey && `historyPerKey=${historyPerKey}`];
  return [`kind=${kind}`, `key=${keyText}`, ...lengths].filter(Boolean).join(' ');
}

/** The text with the name of the program that records it. */
export function withAuthor(text: string, author: string): string {
  return author === '' ? text : `${text} by=${encoded(author.slice(0, MAX_AUTHOR))}`;
}

export function withoutAuthor(text: string): string {
  return text.replace(/ by=\S*$/, '');
}

/** Whether both keys are known, and messages have another place under one definition than under the other one. */
export function isKnownOtherStorage(own: string, recorded: string): boolean {
  const [one, other] = [parsed(own), parsed(recorded)];
  const areKeysKnown = one.key !== FUNCTION && other.key !== FUNCTION;
  return one.kind !== other.kind || (areKeysKnown && one.key !== other.key);
}

/**
 * What differs between the definition of this program and the recorded one; undefined if nothing does. Unknown fields
 * of the recorded text are ignored: they are of a later version.
 *
 * - Another kind is an error: messages are numbered, stored and delivered in another way. For a publisher of kind
 *   `plain` it is a warning, because it publishes as any plain Redis client may.
 * - Another key is an error if the server stores or distributes messages by key; else only filters are concerned. A
 *   reader without a key, and a key that is a function, are not compared.
 * - Another length of the histories, or another number of partitions of a reader, is a warning.
 */
export function definitionConflict(
  own: { readonly name: string; readonly definition?: string | undefined },
  recordedText: string,
  role: {
    readonly isReader: boolean;
    readonly partitions?: number;
    readonly ownPartitions?: number | undefined;
  },
): DefinitionConflict | undefined {
  if (own.definition === undefined) return undefined;
  const [mine, theirs] = [parsed(own.definition), parsed(recordedText.slice(0, MAX_DEFINITION_LENGTH))];
  if (theirs.kind === undefined) return undefined;
  const { isReader, partitions = 1, ownPartitions = partitions } = role;
  const isStoredByKey = theirs.kind === 'state' || theirs.historyPerKey !== undefined || partitions > 1;
  const errors: DefinitionField[] = [];
  const warnings: DefinitionField[] = [];
  if (mine.kind !== theirs.kind) (mine.kind === 'plain' ? warnings : errors).push('kind');
  if (isOtherKey(mine.key, theirs.key, isReader)) (isStoredByKey ? errors : warnings).push('key');
  if (mine.history !== theirs.history) warnings.push('history');
  if (mine.historyPerKey !== theirs.historyPerKey) warnings.push('historyPerKey');
  if (ownPartitions !== partitions) warnings.push('partitions');
  // The histories of another kind say nothing.
  const fields: DefinitionField[] = mine.kind === theirs.kind ? [...errors, ...warnings] : ['kind'];
  if (fields.length === 0) return undefined;
  const showsPartitions = fields.includes('partitions');
  return {
    channel: parsePartitionName(own.name)?.channel ?? own.name,
    fields,
    severity: errors.some((field) => fields.includes(field)) ? 'error' : 'warning',
    own: shown(own.definition, showsPartitions ? ownPartitions : undefined),
    recorded: shown(recordedText, showsPartitions ? partitions : undefined),
    by: theirs.by,
  };
}

/**
 * A message is stored under another key than a program gives it.
 *
 * @param recordedText the recorded definition; '' if there is none
 */
export function storedKeyConflict(
  own: { readonly name: string; readonly definition?: string | undefined },
  recordedText: string,
  example?: DefinitionConflict['example'],
): DefinitionConflict {
  return {
    channel: own.name,
    fields: ['key'],
    severity: 'error',
    own: own.definition ?? '',
    recorded: shown(recordedText, undefined),
    by: parsed(recordedText).by,
    ...(example && { example }),
  };
}

/** What differs and who says what, as sentences. */
export function conflictText({ channel, fields, own, recorded, by, example }: DefinitionConflict): string {
  const author = by === undefined ? 'by another program' : `by ${printable(by, MAX_AUTHOR)}`;
  const other = recorded === '' ? 'in another way by its writer' : `as "${recorded}" ${author}`;
  const proof =
    example === undefined
      ? ''
      : ` A message that is stored under the key "${printable(example.stored)}" has the key ` +
        `"${printable(example.own)}" here.`;
  return (
    `The channel ${channel} is defined with another ${fields.join(', ')}: as "${own}" by this program, and ` +
    `${other}.${proof} Use one definition in all programs.`
  );
}

/** Another program has defined the channel differently. Nothing was published. */
export class DefinitionConflictError extends TickbusError {
  readonly conflict: DefinitionConflict;

  /** @param advice how to replace a definition that is out of use, as a sentence */
  constructor(conflict: DefinitionConflict, advice = '') {
    const text = `Nothing was published. ${conflictText(conflict)}${advice === '' ? '' : ` ${advice}`}`;
    super('TICKBUS_INVALID_OPTION', text, { field: conflict.fields[0] ?? 'kind' });
    this.conflict = conflict;
  }
}

/** @throws DefinitionConflictError if one process uses two definitions of a channel that store messages differently */
export function requireSameDefinition(
  own: { readonly name: string; readonly definition?: string | undefined },
  other: { readonly definition?: string | undefined },
): void {
  if (own.definition === other.definition || other.definition === undefined) return;
  const conflict = definitionConflict(own, other.definition, { isReader: false });
  if (conflict?.severity === 'error')
    throw new DefinitionConflictError({ ...conflict, by: 'this program, too' });
}

function isOtherKey(own: string | undefined, recorded: string | undefined, isReader: boolean): boolean {
  if (own === recorded || own === FUNCTION || recorded === FUNCTION) return false;
  if (recorded === '' || recorded === undefined) return false;
  return own !== '' || !isReader;
}

type Fields = Partial<Record<Exclude<DefinitionField, 'partitions'> | 'by', string>>;

function parsed(text: string): Fields {
  return Object.fromEntries(
    text.split(' ').map((part) => {
      const [name = '', value = ''] = part.split('=', 2);
      return [name, name === 'by' ? decoded(value) : value];
    }),
  );
}

function shown(text: string, partitions: number | undefined): string {
  const fields = withoutAuthor(text.slice(0, MAX_DEFINITION_LENGTH));
  return printable(partitions === undefined ? fields : `${fields} partitions=${partitions}`);
}

function encoded(text: string): string {
  return encodeURIComponent(printable(text));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
