// How long a late joiner waits for a complete picture.

import { BenchWorker } from '../bench-worker.ts';
import { startServer } from '../servers.ts';
import type { OpenWorkload, Workload, WorkloadContext } from './workload.ts';

export const LATE_JOINERS: readonly Workload[] = [1_000, 10_000].map((instruments) => ({
  name: `late_joiner_${instruments}`,
  title: `A complete picture of ${instruments.toLocaleString('en')} instruments`,
  about:
    'From connecting to having every instrument. tickbus: subscribed, validated, handled, live. Against it: one HGETALL of the same values and JSON.parse of each, no validation, and no live data after it.',
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
  const where = { server: server.address, instruments };
  await worker.call('fill', { ...where, peer: isTickbus ? participant : 'tickbus', seed });
  return {
    async run() {
      const { ms, cpuUs } = isTickbus
        ? await worker.call('joinByTickbus', { ...where, library: participant })
        : await worker.call('joinByHgetall', where);
      return { ms, joiner_us: cpuUs / instruments };
    },
    async [Symbol.asyncDispose]() {
      await worker[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
