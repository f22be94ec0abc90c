// Bots and desks of both versions: asks between them, presence, and what the command lines say about the bots.

import { deepEqual, doesNotMatch, equal, match } from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Testbed } from '../testbed.ts';
import { eventually } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { AskResults, AskSettings, Obeyed } from '../workers/ask.ts';
import { VERSIONS, type Version } from './versions.ts';

/** Several programs start at once, on a machine that can be busy. */
const START_MS = 180_000;
const ASKS = 200;
/** Long enough for a busy machine. An ask that presence ends takes far less. */
const TIMEOUT_MS = 60_000;
const THIS = fileURLToPath(new URL('../..', import.meta.url));

/** A desk of each version asks a bot of the other one, which is then killed or ended. */
export async function askEachOther(testbed: Testbed, old: string): Promise<void> {
  const checkoutOf = (version: Version) => (version === 'old' ? old : undefined);
  const start = async (version: Version, role: AskSettings['role']) => {
    const settings: AskSettings = { url: testbed.urlOf(), role };
    const worker = new WorkerProcess('ask', { ...settings }, { checkout: checkoutOf(version) });
    testbed.atEnd(() => worker.kill());
    await worker.receive('ready', START_MS);
    return worker;
  };
  const ask = async (desk: WorkerProcess, count: number) => {
    desk.send({ type: 'ask', count, timeoutMs: TIMEOUT_MS });
    return (await desk.receive<AskResults>('ends', 2 * TIMEOUT_MS)).ends;
  };
  for (const version of VERSIONS) {
    const desk = await start(version, 'desk');
    const asked = `a bot of the other version than the ${version} desk`;
    for (const ending of ['kill', 'end'] as const) {
      const bot = await start(version === 'old' ? 'new' : 'old', 'bot');
      const ends = await ask(desk, ASKS);
      deepEqual(
        ends.filter(([, end]) => end !== 'done'),
        [],
        `${asked} answers every ask`,
      );
      bot.send({ type: 'obeyed' });
      const { counts } = await bot.receive<Obeyed>('obeyed');
      deepEqual(
        counts.toSorted(),
        ends.map(([id]) => [id, 1] as const).toSorted(),
        `${asked} obeys each ask once`,
      );
      if (ending === 'kill') bot.kill();
      else bot.send({ type: 'end' });
      await bot.closed(START_MS);
      let last: string | undefined;
      await eventually(`${asked} is absent`, async () => {
        last = (await ask(desk, 1))[0]?.[1];
        return last === 'TICKBUS_ABSENT';
      }).catch((error) => {
        throw new Error(`${error} The last ask ended with ${last}.`);
      });
      testbed.note(`the ${version} desk: ${ASKS} asks done by ${asked}; absent after its ${ending}`);
    }
    desk.send({ type: 'end' });
    await desk.closed(START_MS);
  }
}

const BOTS = { old: 'momentum', new: 'risk-guard' } as const;

/** The command line of each version checks and commands a sample bot of the other one, both of which live. */
export async function lookAtEachOther(testbed: Testbed, old: string): Promise<void> {
  const start = (version: Version, program: string, options: { env?: object; args?: readonly string[] }) => {
    const env = { REDIS_URL: testbed.urlOf(), ...options.env };
    const path = join(version === 'old' ? old : THIS, program);
    const process = new WorkerProcess(path, undefined, { ...options, env });
    testbed.atEnd(() => process.kill());
    return process;
  };
  const tickbus = async (version: Version, ...args: string[]) => {
    const process = start(version, 'cli/main.ts', { args });
    await process.closed(START_MS);
    const said = process.output.trim();
    testbed.note(`${version} tickbus ${args.join(' ')}: ${said}`);
    return { code: await process.exited(), said };
  };
  for (const version of VERSIONS)
    start(version, 'services/sample-bots/main.ts', { env: { BOTS: BOTS[version] } });
  for (const version of VERSIONS) {
    const bot = BOTS[version === 'old' ? 'new' : 'old'];
    const isRunning = async () => (await tickbus(version, 'check', 'bot', bot)).code === 0;
    await eventually(`${bot} runs for the ${version} command line`, isRunning, START_MS);
    for (const action of ['pause', 'resume']) {
      const { code, said } = await tickbus(version, 'cmd', bot, action, '--wait', '--yes');
      equal(code, 0, `${action}: ${said}`);
    }
    for (const verb of ['bots', 'status']) {
      const { said } = await tickbus(version, verb);
      doesNotMatch(said, /gone|hangs|absent|overdue|another program/, `${version} ${verb}`);
    }
    match((await tickbus(version, 'who')).said, new RegExp(`${bot} `), `${bot} is in PRESENCE`);
  }
}
