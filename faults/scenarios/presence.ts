// Presence of 50 named bots in five processes: crash, orderly end, SIGSTOP, cut links, restart of Redis.

import { deepEqual, ok } from 'node:assert/strict';
import { CHANNELS, presenceList } from 'tickbus';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { NamedBotsSettings } from '../workers/named-bots.ts';

/** Within this time PRESENCE is right after each of the faults. */
const RIGHT_WITHIN_MS = 3_000;
/** Longer than the record of a participant lives. */
const LATER_MS = 3_000;
const GROUPS = ['crash', 'end', 'stop', 'cut', 'stay'] as const;
const BOTS_PER_GROUP = 10;

type Group = (typeof GROUPS)[number];

const namesOf = (...groups: readonly Group[]): string[] =>
  groups.flatMap((group) => Array.from({ length: BOTS_PER_GROUP }, (_, index) => `${group}-${index}`)).sort();

export const presenceOfFifty: Scenario = {
  name: '47-presence',
  expected:
    'PRESENCE is right within 3 s after 10 of 50 bots crash, end, hang or lose their link, and after Redis restarts.',
  async run(testbed) {
    const proxy = await testbed.proxy();
    const workers = new Map(
      GROUPS.map((group) => {
        const port = group === 'cut' ? proxy.port : testbed.redis.port;
        const settings: NamedBotsSettings = { port, names: namesOf(group) };
        return [group, new WorkerProcess('named-bots', { ...settings })];
      }),
    );
    for (const worker of workers.values()) testbed.atEnd(() => worker.kill());
    await Promise.all(Array.from(workers.values(), (worker) => worker.receive('ready')));
    const observed = await observe(testbed);
    const connection = testbed.connection();
    const expectList = async (...groups: readonly Group[]) =>
      deepEqual((await presenceList(connection)).map(({ name }) => name).sort(), namesOf(...groups));
    const timed = async (what: string, state: string, act: () => unknown, ...groups: readonly Group[]) => {
      const since = performance.now();
      await act();
      const limited = testbed.bounded(
        what,
        RIGHT_WITHIN_MS,
        since,
        observed.until(state, namesOf(...groups)),
      );
      testbed.note(`${what} after ${await limited} ms`);
    };

    await observed.until('joined', namesOf(...GROUPS));
    await timed(
      '10 that ended are reported left',
      'left',
      () => workers.get('end')?.send({ type: 'end' }),
      'end',
    );
    await expectList('crash', 'stop', 'cut', 'stay');
    await timed('10 that crashed are reported gone', 'gone', () => workers.get('crash')?.kill(), 'crash');
    await timed('10 that hang are reported gone', 'gone', () => workers.get('stop')?.pause(), 'stop');
    await timed(
      '10 that continue are reported joined',
      'joined',
      () => workers.get('stop')?.resume(),
      'stop',
    );
    await timed(
      '10 with a silent link are reported gone',
      'gone',
      () => proxy.inject({ type: 'blackhole' }),
      'cut',
    );
    await expectList('stop', 'stay');
    await timed('10 with a link again are reported joined', 'joined', () => proxy.heal(), 'cut');
    await testbed.redis.kill();
    observed.forget();
    await testbed.redis.start();
    await timed(
      '30 are reported joined after Redis has restarted',
      'joined',
      () => {},
      'stop',
      'cut',
      'stay',
    );
    await delay(LATER_MS);
    await expectList('stop', 'cut', 'stay');
    ok(
      !observed.all.some((report) => report.startsWith('end-') && report.endsWith('gone')),
      'no end is a crash',
    );
    ok(
      !observed.all.some((report) => report.startsWith('stay-') && report.endsWith('gone')),
      'who stays is not gone',
    );
  },
};

/** The reports on PRESENCE. */
async function observe(testbed: Testbed) {
  const last = new Map<string, string>();
  const all: string[] = [];
  let onReport = () => {};
  const { subscriber } = testbed.subscriber();
  subscriber.subscribe(CHANNELS.PRESENCE, ({ data: { name, state } }) => {
    last.set(name, state);
    all.push(`${name} ${state}`);
    onReport();
  });
  await subscriber.startListening();
  return {
    all,
    forget: () => last.clear(),
    /** Resolves with the time at which the last report about each of them was this state. */
    until: (state: string, names: readonly string[]): Promise<number> =>
      new Promise((resolve) => {
        onReport = () => {
          if (names.every((name) => last.get(name) === state)) resolve(performance.now());
        };
        onReport();
      }),
  };
}
