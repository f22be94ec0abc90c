// The lower bound of publishing: redis-benchmark with one connection and pipelines of the window size.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { cpuUsOf } from '../roles/cpu.ts';
import { startServer } from '../servers.ts';
import { envelopeOf, tickSource } from '../ticks.ts';
import type { OpenWorkload, WorkloadContext } from './workload.ts';

const COUNT = 100_000;
const PIPELINE = 1_000;

export async function openPublishFloor({ seed }: WorkloadContext): Promise<OpenWorkload> {
  const server = await startServer('redis', { cutsSlowSubscribers: false });
  const message = JSON.stringify(envelopeOf('price', tickSource(seed, 1)()));
  const { host, port } = server.address;
  const args = [
    '-h',
    host,
    '-p',
    port,
    '-c',
    1,
    '-P',
    PIPELINE,
    '-n',
    COUNT,
    '--csv',
    'PUBLISH',
    'price',
    message,
  ];
  return {
    async run() {
      const before = cpuUsOf(server.pids[0] ?? 0);
      const { stdout } = await promisify(execFile)('redis-benchmark', args.map(String));
      const after = cpuUsOf(server.pids[0] ?? 0);
      // The last line of the output has the command, the requests per second, and latencies.
      const fields =
        stdout
          .trim()
          .split('\n')
          .at(-1)
          ?.match(/"[^"]*"$|"(?=[\d.]+")[\d.]+"/g) ?? [];
      const rate = Number(fields[0]?.replaceAll('"', ''));
      return { rate, ...(before && after ? { server_us: (after - before) / COUNT } : {}) };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
