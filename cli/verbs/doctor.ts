// `tickbus doctor`: checks the server's settings and permissions, and suggests changes.

import type { Context } from '../context.ts';
import { diagnose } from '../diagnosis/diagnose.ts';
import type { DoctorFinding, Level } from '../diagnosis/finding.ts';
import { readServerFacts } from '../diagnosis/server-facts.ts';
import { EXIT } from '../exit.ts';
import { type DefineVerb, examples } from '../verb.ts';

export const define: DefineVerb = (command, bind) => {
  command
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `\ndoctor changes nothing on the server. Exit code 1 if a finding is FAIL, otherwise 0.\n${examples(
        ['tickbus doctor', 'check the server of REDIS_URL'],
        ['tickbus doctor --json', 'for a program'],
      )}`,
    )
    .action(bind(doctor));
};

async function doctor(context: Context, { json }: { readonly json?: boolean }): Promise<number> {
  const { terminal } = context;
  const facts = await readServerFacts(context);
  const findings = diagnose(facts);
  const hasNoFailure = findings.every(({ level }) => level !== 'fail');
  if (json)
    terminal.line(JSON.stringify({ fit: hasNoFailure, findings, server: facts.server, clock: facts.clock }));
  else for (const finding of findings) printFinding(context, finding);
  return hasNoFailure ? EXIT.ok : EXIT.failure;
}

const MARKS: Readonly<Record<Level, readonly ['green' | 'yellow' | 'red' | 'dim', string]>> = {
  ok: ['green', 'ok  '],
  warn: ['yellow', 'warn'],
  fail: ['red', 'FAIL'],
  unknown: ['dim', '?   '],
};

function printFinding({ terminal }: Context, { subject, level, found, advice }: DoctorFinding): void {
  const [style, mark] = MARKS[level];
  terminal.line(`${terminal.paint(style, mark)}  ${subject.padEnd(14)} ${found}`);
  if (advice !== undefined) terminal.line(`${' '.repeat(21)}${advice}`);
}
