// A channel that two programs define differently, as a clause and what to do. Pure.

import { conflictText, type DefinitionConflict, definitionAdvice } from 'tickbus/admin';

export interface DefinitionFault {
  readonly found: string;
  readonly advice: string;
}

/** @param namespace of the server's keys, which the advice names */
export function definitionFault(
  conflict: DefinitionConflict,
  namespace: string | undefined,
): DefinitionFault {
  const [found = ''] = conflictText(conflict).split(/\. (?=Use one)/);
  const name = namespace === undefined ? conflict.channel : `${namespace}:${conflict.channel}`;
  return {
    found: found.replace(/^The/, 'the'),
    advice: `Use one definition in all programs, and in TICKBUS_CHANNELS. ${definitionAdvice({ name })}`,
  };
}
