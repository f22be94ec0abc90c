// Memory of a subscriber process: idle, and after a load.

import { BenchWorker } from '../bench-worker.ts';
import { participant as participantOf } from '../participants.ts';
import { startServer } from '../servers.ts';
import type { OpenWorkload, RunSample, Workload, WorkloadContext } from './workload.ts';

const RATE = 5_000;

export const MEMORY: Workload = {
  name: 'memory',
  title: 'Memory of a subscriber',
  about:
    'The process of one subscriber after a garbage collection: connected and idle, ' +
    `then after a load of ${RATE.toLocaleString('en')} messages a second. ` +
    '"An empty process" is Node.js with only the harness.',
  participants: ['tickbus', 'node-redis', 'ioredis', 'valkey-glide', 'nats', 'mqtt', 'nothing'],
  metrics: [
    { name: 'idle_rss', title: 'idle, resident', unit: 'MB', better: 'lower' },
    { name: 'idle_heap', title: 'idle, heap', unit: 'MB', better: 'lower' },
    { name: 'busy_rss', title: 'busy, resident', unit: 'MB', better: 'lower' },
    { name: 'busy_heap', title: 'busy, heap', unit: 'MB', better: 'lower' },
  ],
  async open(participant, context): Promise<OpenWorkload> {
    return { run: (seconds) => measureOnce(participant, context, seconds), async [Symbol.asyncDispose]() {} };
  },
};

/** Starts new processes each time, because a process rarely returns memory. */
async function measureOnce(peer: string, { seed }: WorkloadContext, seconds: number): Promise<RunSample> {
  await using subscriber = new BenchWorker(`${peer} subscriber`);
  if (peer === 'nothing') {
    const { rssMb, heapMb } = await subscriber.call('measureMemory', undefined);
    return { idle_rss: rssMb, idle_heap: heapMb };
  }
  await using running = await startServer(participantOf(peer).server, { cutsSlowSubscribers: false });
  await using publisher = new BenchWorker(`${peer} publisher`);
  const server = running.address;
  await subscriber.call('openSubscriber', { peer, server, connections: 1, channel: 'price', latency: false });
  const idle = await subscriber.call('measureMemory', undefined);
  await publisher.call('openPublisher', { peer, server, seed, instruments: 1_000 });
  await subscriber.call('begin', undefined);
  const { published } = await publisher.call('pace', { seconds, rate: RATE });
  await subscriber.call('finish', { expected: published });
  const busy = await subscriber.call('measureMemory', undefined);
  return { idle_rss: idle.rssMb, idle_heap: idle.heapMb, busy_rss: busy.rssMb, busy_heap: busy.heapMb };
}
