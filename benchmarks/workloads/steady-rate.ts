// Latency and receiver CPU at a steady rate.

import { openStream, type PublishLoad } from './stream.ts';
import { type Metric, STREAM_FIGURES, type Workload } from './workload.ts';

const AGES: readonly Metric[] = [
  { name: 'p50', title: 'p50', unit: 'ms', better: 'lower' },
  { name: 'p99', title: 'p99', unit: 'ms', better: 'lower' },
  { name: 'p999', title: 'p99.9', unit: 'ms' },
  { name: 'max', title: 'max', unit: 'ms' },
  { name: 'behind_ms', title: 'maximum delay of the publisher', unit: 'ms' },
];

const SUBSCRIBERS = 10;
const PROCESSES = 2;

const latencies = [1_000, 5_000, 20_000].map(
  (rate): Workload => ({
    name: `latency_${rate / 1_000}k`,
    title: `Latency at ${rate.toLocaleString('en')} messages a second, ${SUBSCRIBERS} subscribers`,
    about:
      'From the publish call to the handler, parsed and validated, ' +
      `over all ${SUBSCRIBERS} connections in ${PROCESSES} processes.`,
    participants: ['tickbus', 'tickbus-shared', 'node-redis', 'ioredis', 'nats', 'mqtt'],
    ...(rate <= 5_000 ? { quick: ['tickbus', 'node-redis'] } : {}),
    metrics: [...AGES, ...STREAM_FIGURES],
    open: (participant, context) =>
      openStream(
        { participant, processes: PROCESSES, connections: SUBSCRIBERS / PROCESSES, latency: true },
        context,
        steadyLoad(rate),
      ),
  }),
);

const RECEIVER_RATE = 20_000;

const receiver: Workload = {
  name: 'receiver_cpu',
  title: 'CPU per received message',
  about:
    `One subscriber at a steady ${RECEIVER_RATE.toLocaleString('en')} messages a second: ` +
    'CPU time of its process, user and system. "Parsing only" does not validate.',
  participants: [
    'tickbus',
    'tickbus-singly',
    'node-redis-parse',
    'node-redis',
    'ioredis',
    'valkey-glide',
    'raw-socket',
    'nats',
  ],
  // Moves receiver CPU to the front, because the tables compare the first metric.
  metrics: [...STREAM_FIGURES].sort(
    (one, other) => Number(other.name === 'subscriber_us') - Number(one.name === 'subscriber_us'),
  ),
  open: (participant, context) => openStream({ participant }, context, steadyLoad(RECEIVER_RATE)),
};

/** A steady rate needs a longer run, so that its start has less weight. */
function steadyLoad(rate: number): PublishLoad {
  return (publisher, seconds) => publisher.call('pace', { seconds: seconds * 2, rate });
}

export const STEADY: readonly Workload[] = [...latencies, receiver];
