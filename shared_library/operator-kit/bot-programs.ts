// What PRESENCE says about bots: whether the one that reported is there, and how many programs run under a name.

import type { Presence } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';

/** A named program that is there. */
export type ProgramFact = Pick<Presence, 'name' | 'instance' | 'host' | 'pid' | 'subscribes' | 'publishes'>;

/**
 * The number of processes that report as a bot, by name. A process with several connections has several instances and
 * counts once. Plain clients have no presence.
 */
export function programsOfBots(programs: readonly ProgramFact[] = []): ReadonlyMap<string, number> {
  const processes = new Map<string, Set<string>>();
  for (const { name, host, pid, publishes } of programs)
    if (publishes.includes(CHANNELS.BOT_STATUS.name))
      processes.set(name, (processes.get(name) ?? new Set()).add(`${host} ${pid}`));
  return new Map([...processes].map(([name, { size }]) => [name, size]));
}

/**
 * Whether the program that published a status has ended without a stop. The instance that a plain client names is
 * ignored, because presence does not know plain clients.
 *
 * @param programs read after the status, so that a bot that has just started is among them; undefined if unknown
 */
export function isGone(
  { state, instance }: { readonly state: string; readonly instance?: string | undefined },
  isPlain: boolean,
  programs: readonly ProgramFact[] | undefined,
): boolean {
  if (isPlain || instance === undefined || programs === undefined || state === 'stopped') return false;
  return programs.every((program) => program.instance !== instance);
}
