// A hostile browser: a program without the token attacks the HTTP ports of the monitor and the gateway.

import { HostileBrowser, type Paths } from '../hostile/browser-attacks.ts';
import { checkDesk } from '../hostile/check-desk.ts';
import { Desk } from '../hostile/desk.ts';
import type { Scenario } from '../scenario.ts';
import { delay, eventually } from '../wait.ts';

const STREAMS = ['/api/stream', '/api/tail', '/api/tail?text=x', '/api/stream?'] as const;
const PAGES = ['/metrics', '/healthz', '/readyz'] as const;
/** More than the streams that the monitor keeps open at once. */
const CONNECTIONS = 150;
/** More wrong tokens in a minute than the monitor's limit. The limit must not affect the right token. */
const WRONG_TOKENS = 30;
const HISTORY = 'tickbus:{AUDIT}:history';
/** Time limit for the page to answer. By then the monitor takes slots from stalled and half-open connections. */
const RELEASED_MS = 60_000;
/** HTTP status of an accepted command. */
/** The monitor accepts the command, and the bot `nobody` does not answer. */
const ACCEPTED = 504;

export const hostileBrowser: Scenario = {
  name: '46-hostile-browser',
  group: 'hostile',
  expected: 'Unauthenticated requests of every kind lock no operator out, and erase nothing from the audit.',
  shortened: '1,100 posts instead of 3,000',
  async run(testbed) {
    const desk = await Desk.open(testbed);
    await checkToken(desk, 'before the attack');
    await attack(desk, 'page', desk.monitorPort, STREAMS, () => desk.page.visit());
    await attack(desk, 'gateway', desk.gatewayPort, PAGES, () =>
      desk.metric('prices').then(
        () => true,
        () => false,
      ),
    );
    await postWithoutToken(desk, testbed.scaled(3_000, 1_100));
    await checkToken(desk, `after ${WRONG_TOKENS} wrong tokens`);
    await checkAudit(desk);
    desk.page.begin();
    await delay(1_000);
    await desk.commands.stop();
    await desk.page.stop();
    await checkDesk(desk);
  },
};

/** Attacks one port in each way, and waits after each until the port answers others again. */
async function attack(
  { testbed }: Desk,
  target: string,
  port: number,
  paths: Paths,
  answers: () => Promise<boolean>,
): Promise<void> {
  const browser = new HostileBrowser(port, paths, testbed.random);
  testbed.atEnd(() => browser.close());
  for (const name of ['methods', 'abandoned', 'halfOpen', 'garbage', 'stalled'] as const) {
    await browser[name](CONNECTIONS);
    const since = performance.now();
    const open = browser.open;
    await eventually(`${name}: the ${target} answers`, answers, RELEASED_MS).then(
      () => testbed.note(`${name}: ${open} connections open, ${target} after ${elapsed(since)} ms`),
      (error: Error) => testbed.exceeded.push(error.message),
    );
    browser.close();
  }
}

/** Posts commands with wrong tokens first, then without a token. */
async function postWithoutToken(desk: Desk, count: number): Promise<void> {
  const statuses: Record<string, number> = {};
  for (let sent = 0; sent < count; sent++) {
    const token = sent < WRONG_TOKENS ? `wrong-${sent}-of-a-hostile-page` : undefined;
    const status = String(await desk.page.sendCommand(token));
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  desk.testbed.note(`${count} posts without the token: ${JSON.stringify(statuses)}`);
  if (statuses[ACCEPTED] !== undefined) desk.testbed.exceeded.push('A post without the token was accepted.');
}

async function checkToken(desk: Desk, when: string): Promise<void> {
  const status = await desk.page.sendCommand(desk.token);
  if (status !== ACCEPTED) desk.testbed.exceeded.push(`The right token gets status ${status} ${when}.`);
}

/** The command that was sent before the attack is still in the audit. */
async function checkAudit(desk: Desk): Promise<void> {
  const entries = (await desk.testbed.command('XRANGE', HISTORY, '-', '+')) as unknown[];
  const texts = entries.map((entry) => JSON.stringify(entry));
  const sent = texts.filter((text) => text.includes('nobody')).length;
  desk.testbed.note(`audit: ${entries.length} records, ${sent} of accepted commands`);
  if (!texts.slice(0, -1).some((text) => text.includes('nobody')))
    desk.testbed.exceeded.push("The audit of the operator's first command is gone.");
}

function elapsed(since: number): number {
  return Math.round(performance.now() - since);
}
