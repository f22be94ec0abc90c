// The CPU time that a process has used, and what a stretch of it cost.

import { readdirSync, readFileSync } from 'node:fs';

/** Microseconds of CPU that this process has used, user and system, all threads. */
export function ownCpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** The same for another process, exact to the nanosecond; undefined where there is no /proc. */
export function cpuUsOf(pid: number): number | undefined {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const nanoseconds = tasks.map((task) => {
      const [onCpu] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
      return Number(onCpu);
    });
    return nanoseconds.reduce((sum, one) => sum + one, 0) / 1_000;
  } catch {
    return undefined;
  }
}
