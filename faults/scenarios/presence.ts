// Presence of 50 named bots in five processes: crash, orderly end, SIGSTOP, cut links, restart of Redis; and asks in
// flight to each of those that end.

import { ok } from 'node:assert/strict';
import { PresenceDesk } from '../presence-desk.ts';
import type { Scenario } from '../scenario.ts';
import { delay } from '../wait.ts';

/** Within this time PRESENCE is right after each of the faults. */
const RIGHT_WITHIN_MS = 3_000;
/** Longer than the record of a participant lives. */
const LATER_MS = 3_000;
const BOTS_PER_GROUP = 10;

const namesOf = (...groups: readonly string[]): string[] =>
  groups.flatMap((group) => Array.from({ length: BOTS_PER_GROUP }, (_, index) => `${group}-${index}`)).sort();

export const presenceOfFifty: Scenario = {
  name: '47-presence',
  expected:
    'PRESENCE is right within 3 s after 10 of 50 bots crash, end, hang or lose their link, and after Redis restarts; ' +
    'asks to each of them fail within 100 ms of that.',
  async run(testbed) {
    const proxy = await testbed.proxy();
    const desk = await PresenceDesk.open(testbed);
    const start = (group: string, port?: number) => desk.start(namesOf(group), port);
    const [crash, end, stop] = await Promise.all([
      start('crash'),
      start('end'),
      start('stop'),
      start('cut', proxy.port),
      start('stay'),
    ]);
    const has = (what: string, state: 'gone' | 'left', group: string, act: () => unknown) =>
      desk.timedEnd(state, namesOf(group), RIGHT_WITHIN_MS, `10 that ${what} are reported ${state}`, act);
    const joins = (what: string, groups: readonly string[], act: () => unknown) =>
      desk.timed('joined', namesOf(...groups), RIGHT_WITHIN_MS, `${what} are reported joined`, act);

    await desk.until('joined', namesOf('crash', 'end', 'stop', 'cut', 'stay'));
    await has('ended', 'left', 'end', () => end?.send({ type: 'end' }));
    await desk.expectList(namesOf('crash', 'stop', 'cut', 'stay'));
    await has('crashed', 'gone', 'crash', () => crash?.kill());
    await has('hang', 'gone', 'stop', () => stop?.pause());
    await joins('10 that continue', ['stop'], () => stop?.resume());
    await has('have a silent link', 'gone', 'cut', () => proxy.inject({ type: 'blackhole' }));
    await desk.expectList(namesOf('stop', 'stay'));
    await joins('10 with a link again', ['cut'], () => proxy.heal());
    await testbed.redis.kill();
    desk.forget();
    await testbed.redis.start();
    await joins('30 after Redis has restarted', ['stop', 'cut', 'stay'], () => {});
    await desk.expectAnswers(namesOf('stop', 'cut', 'stay'));
    await delay(LATER_MS);
    await desk.expectList(namesOf('stop', 'cut', 'stay'));
    ok(!desk.all.some((report) => /^end-.*gone$/.test(report)), 'no end is a crash');
    ok(!desk.all.some((report) => /^stay-.*gone$/.test(report)), 'who stays is not gone');
  },
};

export const presenceOverRestart: Scenario = {
  name: '55-presence-memory-kept',
  expected:
    'After an outage of a Redis that keeps its memory, PRESENCE is right within 3 s: only those are gone that crashed.',
  server: { keepsData: true, args: ['--appendonly', 'yes', '--appendfsync', 'always'] },
  async run(testbed) {
    const desk = await PresenceDesk.open(testbed);
    const [crash] = await Promise.all(['crash', 'stay', 'more'].map((group) => desk.start(namesOf(group))));
    await desk.until('joined', namesOf('crash', 'stay', 'more'));
    await testbed.redis.kill();
    crash?.kill();
    await delay(LATER_MS);
    await testbed.redis.start();
    const what = '10 that crashed during the outage are reported gone';
    await desk.timed('gone', namesOf('crash'), RIGHT_WITHIN_MS, what, () => {});
    await desk.expectAnswers(namesOf('stay', 'more'));
    await delay(LATER_MS);
    await desk.until('joined', namesOf('stay', 'more'));
    await desk.expectList(namesOf('stay', 'more'));
    ok(!desk.all.some((report) => /^(stay|more)-.*gone$/.test(report)), 'who stays is not gone');
  },
};
