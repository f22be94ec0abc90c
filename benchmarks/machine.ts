// What the measurements were taken on.

import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { versionOf } from './servers.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  /** First lines of what the servers say of themselves; null: not there. */
  readonly servers: Readonly<Record<string, string | null>>;
  /** Processes that wanted to run in the minute before; more than the harness itself has means that the machine was shared. */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    system: `${type()} ${release()}`,
    node: process.version,
    servers: {
      redis: versionOf('redis') ?? null,
      nats: versionOf('nats') ?? null,
      mosquitto: versionOf('mosquitto') ?? null,
    },
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}
