// The time until a late joiner has all last values.

import { BenchWorker } from '../bench-worker.ts';
import { startServer } from '../servers.ts';
import type { OpenWorkload, Workload, WorkloadContext } from './workload.ts';

export const LATE_JOINERS: readonly Workload[] = [1_000, 10_000].map((instruments) => ({
  name: `late_joiner_${instruments}`,
  title: `Late joiner: ${instruments.toLocaleString('en')} instruments`,
  about:
    'From connecting to the last value of every instrument. tickbus subscribes, validates and handles, and is live ' +
    'afterwards. Compared with one HGETALL and JSON.parse of the same values, without validation and live data.',
  participants: ['tickbus', 'hgetall'],
  ...(instruments === 10_000 ? { quick: ['tickbus', 'hgetall'] } : {}),
  metrics: [
    { name: 'ms', title: 'complete after', unit: 'ms', better: 'lower' },
    { name: 'joiner_us', title: 'CPU', unit: 'µs/instrument', better: 'lower' },
  ],
  open: (participant, context) => openJoiner(participant, context, instruments),
}));

async function openJoiner(
  participant: string,
  { seed }: WorkloadContext,
  instruments: number,
): Promise<OpenWorkload> {
  const server = await startServer('redis', { cutsSlowSubscribers: true });
  const worker = new BenchWorker('joiner');
  const isTickbus = participant !== 'hgetall';
  const options = { server: server.address, instruments };
  await worker.call('fill', { ...options, peer: isTickbus ? participant : 'tickbus', seed });
  return {
    async run() {
      const { ms, cpuUs } = isTickbus
        ? await worker.call('joinByTickbus', { ...options, library: participant })
        : await worker.call('joinByHgetall', options);
      return { ms, joiner_us: cpuUs / instruments };
    },
    async [Symbol.asyncDispose]() {
      await worker[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
