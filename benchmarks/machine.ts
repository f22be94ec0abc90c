// The machine of the measurements.

import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { versionOf } from './servers.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  /** Version line of each server; null: not installed. */
  readonly servers: Readonly<Record<string, string | null>>;
  /** Load average of the minute before the run. A high value means that the machine is shared. */
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
