// Findings about commands that managed servers rename or deny.

import type { CommandStates } from 'tickbus/admin';
import type { DoctorFinding, Level } from './finding.ts';

/**
 * What does not work without each command. `level` applies if the server lacks the command. A missing permission can be
 * deliberate, so it is at most a warning. tickbus works without CONFIG GET and CLIENT.
 */
const EFFECTS: Readonly<Record<string, { readonly level: Level; readonly effect: string }>> = {
  EVAL: { level: 'fail', effect: 'publishing, leases and last values do not work' },
  EVALSHA: { level: 'fail', effect: 'publishing, leases and last values do not work' },
  INFO: { level: 'fail', effect: 'publishing and leases are rejected; subscribing works' },
  'CONFIG GET': { level: 'unknown', effect: 'doctor cannot check the settings of the server' },
  CLIENT: { level: 'ok', effect: 'a gateway publishes by script, which is slower' },
};

/** Returns one finding if every command works; otherwise one finding per failing command. */
export function commandFindings(states: CommandStates, name: string | undefined): DoctorFinding[] {
  const subject = 'commands';
  if (states.length === 0) return [];
  const failing = states.filter(({ state }) => state !== 'works');
  if (failing.length === 0) {
    const listed = states.map(({ command }) => command).join(', ');
    return [{ subject, level: 'ok', found: `${listed} work` }];
  }
  const user = name ?? 'this user';
  return failing.map(({ command, state }) => {
    const { level, effect } = EFFECTS[command] ?? { level: 'warn', effect: 'parts of tickbus do not work' };
    if (state === 'missing') {
      const advice = `Enable the command on the server (rename-command), or use another server.`;
      return { subject, level, found: `the server does not have ${command}: ${effect}`, advice };
    }
    // permission-findings.ts and server-findings.ts report which permissions this user needs.
    return {
      subject,
      level: level === 'fail' ? 'warn' : level,
      found: `${user} may not use ${command}: ${effect}`,
    };
  });
}
