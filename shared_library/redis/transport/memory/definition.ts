// The recorded definition of a channel of the in-memory server.

import { isKnownOtherStorage, withoutAuthor } from '../../channel/definition.ts';
import type { DefinitionEntry } from '../definition-records.ts';
import type { ServerChannel } from './server-channel.ts';

/** Another definition is recorded than that of a batch. */
export class OtherDefinition extends Error {
  readonly recorded: string;

  constructor(recorded: string) {
    super(`Another definition is recorded: ${recorded}`);
    this.recorded = recorded;
  }
}

/** @throws OtherDefinition */
export function checkDefinition({ definition }: ServerChannel, { text, replaceable }: DefinitionEntry): void {
  if (definition === undefined || definition === replaceable) return;
  if (withoutAuthor(definition) !== withoutAuthor(text)) throw new OtherDefinition(definition);
}

/** Whether an adopter with this definition would store messages under another key than the writers. */
export function isRedefined({ definition: recorded }: ServerChannel, own: string | undefined): boolean {
  return own !== undefined && recorded !== undefined && isKnownOtherStorage(own, recorded);
}

/** Records the definition of a new lease holder. Returns the one that it replaces, unless that is the same. */
export function redefine(channel: ServerChannel, definition: string | undefined): string | undefined {
  const { definition: recorded } = channel;
  if (definition === undefined) return undefined;
  channel.definition = definition;
  if (recorded === undefined || withoutAuthor(recorded) === withoutAuthor(definition)) return undefined;
  if (isKnownOtherStorage(definition, recorded)) {
    channel.last.clear();
    channel.history.clear();
  }
  return recorded;
}
