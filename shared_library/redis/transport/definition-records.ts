// Which definitions stand at the heads of their channels. Only the first batch of a spec in an epoch carries one, so
// that the others cost nothing.

import type { ChannelSpec } from '../channel/channel.ts';
import { DefinitionConflictError, definitionConflict, withAuthor } from '../channel/definition.ts';
import type { Position } from '../wire/position.ts';
import type { Outgoing, Receipt } from './port.ts';

/** A definition that a batch records. */
export interface DefinitionEntry {
  /** With the name of the program; see `definitionText`. */
  readonly text: string;
  /** A recorded definition that it may replace. */
  readonly replaceable?: string;
}

/** A batch, and the position that its channel is known to have reached. */
export interface DefiningBatch {
  readonly channel: ChannelSpec;
  readonly batch: readonly Outgoing[];
  readonly known: Position;
}

/** Attempts of a batch. One fails if another program records another definition before it. */
const MAX_ATTEMPTS = 3;

export class DefinitionRecords {
  /** The epoch in which the definition of a spec was last recorded. */
  readonly #epochs = new WeakMap<ChannelSpec, number>();

  /** The definition that the batch carries; undefined if it is known to be recorded. */
  entryFor({ channel, batch, known }: DefiningBatch): DefinitionEntry | undefined {
    const { definition } = channel;
    if (definition === undefined || this.#epochs.get(channel) === known.epoch) return undefined;
    return { text: withAuthor(definition, senderOf(batch)) };
  }

  /**
   * The entry with which a batch is sent again, because another definition is recorded.
   *
   * @param advice how to replace a definition that is out of use, as a sentence
   * @throws DefinitionConflictError if that differs in more than a detail
   */
  replacing(
    { text }: DefinitionEntry,
    channel: ChannelSpec,
    recorded: string,
    advice?: string,
  ): DefinitionEntry {
    const { layout: partitions = 1 } = channel;
    const conflict = definitionConflict(channel, recorded, { isReader: false, partitions });
    if (conflict?.severity === 'error') throw new DefinitionConflictError(conflict, advice);
    return { text, replaceable: recorded };
  }

  /** Remembers that the entry is recorded, and completes the receipt. */
  record({ channel, known }: DefiningBatch, entry: DefinitionEntry | undefined, receipt: Receipt): Receipt {
    if (entry === undefined) return receipt;
    // Nothing is recorded if all messages were published before.
    if (receipt.first?.seq !== 0) this.#epochs.set(channel, receipt.first?.epoch ?? known.epoch);
    return entry.replaceable === undefined ? receipt : { ...receipt, replaced: entry.replaceable };
  }

  /**
   * Sends a batch, again if it may replace the recorded definition.
   *
   * @param recordedIn the recorded definition, if the error reports one that differs
   * @throws DefinitionConflictError as `replacing`
   */
  async publish(
    batch: DefiningBatch,
    send: (entry: DefinitionEntry | undefined) => Promise<Receipt>,
    recordedIn: (error: unknown) => string | undefined,
    advice: string,
  ): Promise<Receipt> {
    let entry = this.entryFor(batch);
    for (let attempt = 1; ; attempt++) {
      try {
        return this.record(batch, entry, await send(entry));
      } catch (error) {
        const recorded = recordedIn(error);
        if (entry === undefined || recorded === undefined || attempt === MAX_ATTEMPTS) throw error;
        entry = this.replacing(entry, batch.channel, recorded, advice);
      }
    }
  }
}

/** The sender of the first message; '' for a message that names none. */
export function senderOf([first]: readonly Outgoing[]): string {
  const { sender }: { sender?: unknown } = first === undefined ? {} : JSON.parse(first.json);
  return typeof sender === 'string' ? sender : '';
}
