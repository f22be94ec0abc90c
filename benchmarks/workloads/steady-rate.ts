// Latency at a steady pace, and what a received message costs at one.

import { openStream, type PublishLoad } from './stream.ts';
import { type Metric, STREAM_FIGURES, type Workload } from './workload.ts';

const AGES: readonly Metric[] = [
  { name: 'p50', title: 'p50', unit: 'ms', better: 'lower' },
  { name: 'p99', title: 'p99', unit: 'ms', better: 'lower' },
  { name: 'p999', title: 'p99.9', unit: 'ms' },
  { name: 'max', title: 'max', unit: 'ms' },
  { name: 'behind_ms', title: 'publisher late by at most', unit: 'ms' },
];

const SUBSCRIBERS = 10;
const PROCESSES = 2;

const latencies = [1_000, 5_000, 20_000].map(
  (rate): Workload => ({
    name: `latency_${rate / 1_000}k`,
    title: `Latency at ${rate.toLocaleString('en')} messages a second, ${SUBSCRIBERS} subscribers`,
    about: `From handing over a message to its handler, parsed and validated, over all ${SUBSCRIBERS} connections in ${PROCESSES} processes.`,
    participants: ['tickbus', 'tickbus-shared', 'node-redis', 'ioredis', 'nats', 'mqtt'],
    ...(rate <= 5_000 ? { quick: ['tickbus', 'node-redis'] } : {}),
    metrics: [...AGES, ...STREAM_FIGURES],
    open: (participant, context) =>
      openStream(
        { participant, processes: PROCESSES, connections: SUBSCRIBERS / PROCESSES, latency: true },
        context,
        steadyFeed(rate),
      ),
  }),
);

const RECEIVER_RATE = 20_000;

const receiver: Workload = {
  name: 'receiver_cpu',
  title: 'What a received message costs',
  about: `One subscriber at a steady ${RECEIVER_RATE.toLocaleString('en')} messages a second: CPU time of its process, user and system. "Parsing only" does without any validation.`,
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
  // What it is about stands first: that is what is compared.
  metrics: [...STREAM_FIGURES].sort(
    (one, other) => Number(other.name === 'subscriber_us') - Number(one.name === 'subscriber_us'),
  ),
  open: (participant, context) => openStream({ participant }, context, steadyFeed(RECEIVER_RATE)),
};

/** A steady pace needs a little longer to be told from its beginning. */
function steadyFeed(rate: number): PublishLoad {
  return (publisher, seconds) => publisher.call('pace', { seconds: seconds * 2, rate });
}

export const STEADY: readonly Workload[] = [...latencies, receiver];
