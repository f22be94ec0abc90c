// CPU time of processes.

import { readdirSync, readFileSync } from 'node:fs';

/** CPU time of this process in microseconds: user and system, all threads. */
export function ownCpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** CPU time of another process in microseconds; undefined without /proc. */
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
