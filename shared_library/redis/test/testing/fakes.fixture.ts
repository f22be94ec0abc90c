// Fake timers of vitest, which are those of Jest (@sinonjs/fake-timers), and of node:test.

import { mock } from 'node:test';
import { vi } from 'vitest';
import { systemClock } from '../../runtime/system-clock.ts';

export interface Fakes {
  readonly name: string;
  readonly install: () => void;
  readonly advance: (ms: number) => Promise<unknown>;
}

export const TIMERS = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
] as const;

export const FAKES: readonly Fakes[] = [
  {
    name: 'vi.useFakeTimers()',
    install: () => void vi.useFakeTimers(),
    advance: (ms) => vi.advanceTimersByTimeAsync(ms),
  },
  {
    name: 'queueMicrotask and nextTick, too, as by default in Jest',
    install: () => {
      vi.useFakeTimers({ toFake: [...TIMERS, 'Date', 'performance', 'queueMicrotask'] });
      fakeNextTick();
    },
    advance: (ms) => vi.advanceTimersByTimeAsync(ms),
  },
  {
    name: 'timers and Date without performance',
    install: () => void vi.useFakeTimers({ toFake: [...TIMERS, 'Date'] }),
    advance: (ms) => vi.advanceTimersByTimeAsync(ms),
  },
  { name: 'mock.timers.enable() of node:test', install: () => mock.timers.enable(), advance: tick },
];

export function uninstallFakes(): void {
  vi.useRealTimers();
  mock.timers.reset();
  const { nextTick } = realProcess;
  process.nextTick = nextTick;
  for (const callback of delayed.splice(0)) nextTick(callback);
}

const realProcess = { nextTick: process.nextTick };
const delayed: (() => void)[] = [];

/** Vitest refuses to fake it in child processes, which need it to reach their parent. So it waits for the end. */
function fakeNextTick(): void {
  process.nextTick = (callback: (...args: never[]) => unknown, ...args: unknown[]) => {
    delayed.push(() => callback(...(args as never[])));
  };
}

/** `tick` is synchronous: messages arrive in turns of the event loop between its steps. */
async function tick(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    mock.timers.tick(Math.min(50, left));
    await new Promise<void>(systemClock.nextTurn);
  }
}
