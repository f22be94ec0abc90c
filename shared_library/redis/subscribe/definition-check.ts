// Whether the definition at the head of a channel is that of the subscriber. It is in the answers that the reader gets
// anyway: from each recovery, and once a second from the check of the head.

import type { Channel } from '../channel/channel.ts';
import { type DefinitionConflict, definitionConflict, storedKeyConflict } from '../channel/definition.ts';
import { decodeEnvelope } from '../wire/envelope.ts';
import { keyOfPayload } from '../wire/payload-schema.ts';
import type { ServerAnswer } from './state-queries.ts';

/** What the last answer about a part said. */
interface Judged {
  readonly definition: string | undefined;
  readonly partitions: number | undefined;
  readonly conflict: DefinitionConflict | undefined;
  /** From a stored message; an answer without one does not change it. */
  readonly keyConflict: DefinitionConflict | undefined;
}

export class DefinitionCheck {
  readonly #channel: Channel;
  readonly #onConflict: (conflict: DefinitionConflict) => void;
  /** By the name of the part: the channel itself, or a partition. */
  readonly #parts = new Map<string, Judged>();
  /** The conflict after the last change. */
  #current: DefinitionConflict | undefined;
  /** The last conflict that was reported, as text. Partitions have the same one. */
  #reported: string | undefined;

  /** @param onConflict called when another conflict is found than the last one */
  constructor(channel: Channel, onConflict: (conflict: DefinitionConflict) => void) {
    this.#channel = channel;
    this.#onConflict = onConflict;
  }

  /** The conflict of a part; errors come first. */
  get conflict(): DefinitionConflict | undefined {
    const all = [...this.#parts.values()].flatMap(({ conflict, keyConflict }) => [conflict, keyConflict]);
    return all.find((conflict) => conflict?.severity === 'error') ?? all.find(Boolean);
  }

  /**
   * Costs a comparison of two texts unless something has changed.
   *
   * @returns the conflict of the channel, if there is one
   */
  check(part: string, answer: ServerAnswer): DefinitionConflict | undefined {
    const { definition, partitions, firstKey } = answer;
    const last = this.#parts.get(part);
    const isSame = last !== undefined && last.definition === definition && last.partitions === partitions;
    if (isSame && firstKey === undefined) return this.#current;
    const conflict = isSame ? last.conflict : this.#compare(part, answer);
    const keyConflict = firstKey === undefined ? last?.keyConflict : this.#compareKey(answer, firstKey);
    this.#parts.set(part, { definition, partitions, conflict, keyConflict });
    this.#report();
    return this.#current;
  }

  /** The part is not read any more. */
  forget(part: string): void {
    this.#parts.delete(part);
    this.#current = this.conflict;
  }

  #compare(part: string, { definition, partitions = 1 }: ServerAnswer): DefinitionConflict | undefined {
    if (definition === undefined) return undefined;
    const isOwn = part === this.#channel.name;
    return definitionConflict(this.#channel, definition, {
      isReader: true,
      partitions,
      ownPartitions: isOwn ? this.#channel.partitions : undefined,
    });
  }

  /** A stored message shows the key, also if that is a function, or if the writer has recorded no definition. */
  #compareKey({ definition = '', entries }: ServerAnswer, storedKey: string): DefinitionConflict | undefined {
    const ownKey = this.#keyOf(entries?.[0]);
    if (ownKey === undefined || ownKey === storedKey) return undefined;
    return storedKeyConflict(this.#channel, definition, { stored: storedKey, own: ownKey });
  }

  /** Undefined for an invalid message. */
  #keyOf(frame: Uint8Array | undefined): string | undefined {
    if (frame === undefined) return undefined;
    try {
      const { message_type, data } = decodeEnvelope(frame);
      return keyOfPayload(this.#channel, message_type, data);
    } catch {
      return undefined;
    }
  }

  #report(): void {
    const { conflict } = this;
    this.#current = conflict;
    const text = conflict && `${conflict.own} ${conflict.recorded} ${conflict.fields.join()}`;
    if (text === this.#reported) return;
    this.#reported = text;
    if (conflict !== undefined) this.#onConflict(conflict);
  }
}
