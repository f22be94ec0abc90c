// The limits that a desk must keep under attack. Each exceeded limit fails the scenario.

import type { WorkerProcess } from '../worker-process.ts';
import type { Desk } from './desk.ts';

/** 20 times the 100 ms of docs/security.md, for a busy machine. A successful attack blocks a program for longer. */
export const MAX_BLOCKED_MS = 2_000;
/** Maximum peak memory, MB. Node with the TypeScript loader uses about 120 MB of it. */
const MAX_MB = { bot: 512, gateway: 512, monitor: 768 };
/** Share of samples with a fresh price. A single loss of the lease leaves the bot without fresh prices for 3 s. */
const MIN_FRESH_SHARE = 0.95;
/** A log must not fill a disk: one line for every message of a flood would take hundreds of MB. */
const MAX_LOG_BYTES = 8 * 2 ** 20;

/** Maximum size of the first event that a browser gets: a few thousand rows of short texts. */
const MAX_FRAME_BYTES = 4 * 2 ** 20;

export interface CheckOptions {
  /** Whether prices must be fresh during the whole attack (default true), or only at its end. */
  readonly alwaysFresh?: boolean;
}

/** Waits until the desk works again, then notes its figures and every exceeded limit. */
export async function checkDesk(desk: Desk, { alwaysFresh = true }: CheckOptions = {}): Promise<void> {
  await checkBot(desk, alwaysFresh);
  for (const name of ['bot', 'gateway', 'monitor'] as const) await checkProgram(desk, name, desk[name]);
  await checkLease(desk);
  const { page, testbed } = desk;
  testbed.note(
    `page answered ${page.answered} of ${page.answered + page.failed} visits, largest frame ${kb(page.largestFrame)}`,
  );
  require(desk, page.largestFrame <=
    MAX_FRAME_BYTES, `A frame of the page has ${kb(page.largestFrame)}; the limit is ${kb(MAX_FRAME_BYTES)}.`);
  require(desk, page.failed === 0, `The page did not answer ${page.failed} visits.`);
}

async function checkBot(desk: Desk, alwaysFresh: boolean): Promise<void> {
  const { testbed, commands } = desk;
  await desk.untilFresh().catch((error: Error) => testbed.exceeded.push(error.message));
  await untilHandled(desk).catch((error: Error) => testbed.exceeded.push(error.message));
  const report = await desk.report();
  const { accepted, handled, twice, reported, silent } = commands.figures(report);
  const { fresh = 0, ...others } = report.samples;
  const total = Object.values(others).reduce((sum, count) => sum + count, fresh);
  testbed.note(`prices ${report.prices}, samples fresh ${fresh} of ${total} ${JSON.stringify(others)}`);
  testbed.note(
    `operator commands accepted ${accepted}, handled ${handled}, reported ${reported}, silently lost ${silent}`,
  );
  testbed.note(`invalid messages ${report.invalid}, statuses ${JSON.stringify(report.statuses)}`);
  if (alwaysFresh)
    require(desk, fresh >= MIN_FRESH_SHARE * total, `Only ${fresh} of ${total} samples were fresh.`);
  require(desk, silent === 0, `${silent} of ${accepted} commands were neither handled nor reported.`);
  require(desk, twice === 0, `${twice} commands were handled twice.`);
  require(desk, accepted > 0, 'No command was accepted.');
}

/** Sends commands until the bot handles one: everything before it has then been handled or lost. */
async function untilHandled(desk: Desk): Promise<void> {
  for (let left = 100; left > 0; left--) {
    const id = await desk.commands.send();
    const { handled } = await desk.report();
    if (id !== undefined && handled.includes(id)) return;
  }
  throw new Error('The bot handles no command after the attack.');
}

async function checkProgram(desk: Desk, name: keyof typeof MAX_MB, worker: WorkerProcess): Promise<void> {
  const vitals = await desk.vitalsOf(worker).catch((error: Error) => error);
  if (vitals instanceof Error)
    return void desk.testbed.exceeded.push(`The ${name} is blocked. ${vitals.message}`);
  const { blockedMs, peakMb } = vitals;
  const log = worker.outputBytes;
  desk.testbed.note(`${name}: blocked at most ${blockedMs} ms, peak ${peakMb} MB, log ${kb(log)}`);
  require(desk, blockedMs <= MAX_BLOCKED_MS, `The ${name} was blocked for ${blockedMs} ms.`);
  require(desk, peakMb <= MAX_MB[name], `The ${name} used ${peakMb} MB; the limit is ${MAX_MB[name]} MB.`);
  require(desk, log <= MAX_LOG_BYTES, `The ${name} logged ${kb(log)}.`);
}

async function checkLease(desk: Desk): Promise<void> {
  const takeOvers = await desk.metric('take_overs_total').catch(() => Number.NaN);
  const active = await desk.metric('active').catch(() => Number.NaN);
  desk.testbed.note(`gateway took over ${takeOvers} times`);
  require(desk, takeOvers === 1, `The gateway lost its lease: it took over ${takeOvers} times.`);
  require(desk, active === 1, 'The gateway does not hold the lease.');
}

function require(desk: Desk, holds: boolean, problem: string): void {
  if (!holds) desk.testbed.exceeded.push(problem);
}

function kb(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KB`;
}
