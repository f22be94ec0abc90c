// Throughput: publishing without subscribers, from end to end, to many subscribers, and by message size.

import { openPublishFloor } from './publish-floor.ts';
import { openStream, type PublishLoad } from './stream.ts';
import { type Metric, RATE, STREAM_FIGURES, type Workload } from './workload.ts';

/** Maximum messages in flight: enough for the pipelining of every peer, and below a burst. */
export const WINDOW = 1_000;
/** Messages published per turn of the event loop. */
const TURN = 100;

const ALL_PEERS = [
  'tickbus',
  'tickbus-shared',
  'tickbus-singly',
  'node-redis',
  'ioredis',
  'ioredis-pipelining',
  'valkey-glide',
  'raw-socket',
  'nestjs',
  'moleculer',
  'graphql',
  'socket-io',
  'nats',
  'mqtt',
] as const;

const DELIVERIES: Metric = { name: 'deliveries', title: 'deliveries', unit: 'msg/s', better: 'higher' };

export const fullSpeedLoad: PublishLoad = (publisher, seconds) =>
  publisher.call('blast', { seconds, window: WINDOW, turn: TURN });

const publish: Workload = {
  name: 'publish',
  title: 'Publishing without subscribers',
  about:
    `One publisher, ${TURN} messages per turn of the event loop, ` +
    `at most ${WINDOW.toLocaleString('en')} in flight.`,
  participants: [
    'tickbus',
    'tickbus-shared',
    'node-redis',
    'ioredis',
    'ioredis-pipelining',
    'valkey-glide',
    'raw-socket',
    'redis-benchmark',
    'nats',
    'mqtt',
  ],
  metrics: [RATE, ...STREAM_FIGURES.filter(({ name }) => name.endsWith('_us') && name !== 'subscriber_us')],
  open: (participant, context) =>
    participant === 'redis-benchmark'
      ? openPublishFloor(context)
      : openStream({ participant, processes: 0 }, context, fullSpeedLoad),
};

const endToEnd: Workload = {
  name: 'end_to_end',
  title: 'From end to end, one publisher and one subscriber',
  about:
    'At full speed, from the first publish call to the last message parsed, validated and handled. ' +
    'No message may be lost.',
  participants: ALL_PEERS,
  quick: ['tickbus', 'node-redis', 'nats'],
  metrics: [RATE, ...STREAM_FIGURES],
  open: (participant, context) => openStream({ participant }, context, fullSpeedLoad),
};

/** Subscribers, and the count of their processes. */
const FAN_OUTS: readonly (readonly [subscribers: number, processes: number])[] = [
  [1, 1],
  [10, 2],
  [50, 2],
  [200, 4],
];

const fanOuts = FAN_OUTS.map(([subscribers, processes]): Workload => {
  const participants = ['tickbus', 'tickbus-singly', 'node-redis', 'ioredis', 'nats', 'mqtt'];
  return {
    name: `fan_out_${subscribers}`,
    title: `Fan-out to ${subscribers} ${subscribers === 1 ? 'subscriber' : 'subscribers'}`,
    about:
      `${subscribers} connections in ${processes} ${processes === 1 ? 'process' : 'processes'}. ` +
      'Each parses and validates every message. Deliveries are the sum over all connections.',
    participants,
    ...(subscribers === 50 ? { quick: ['tickbus', 'tickbus-singly', 'node-redis'] } : {}),
    metrics: [DELIVERIES, ...STREAM_FIGURES],
    open: (participant, context) => {
      const connections = subscribers / processes;
      return openStream({ participant, processes, connections }, context, fanOutLoad(subscribers));
    },
  };
});

/** Smaller windows for many subscribers, so that a run has more than one window. */
function fanOutLoad(subscribers: number): PublishLoad {
  const window = Math.max(50, Math.round(WINDOW / Math.sqrt(subscribers)));
  const turn = Math.min(TURN, Math.ceil(window / 2));
  return (publisher, seconds) => publisher.call('blast', { seconds, window, turn });
}

const sizes = [100, 500, 1_000, 4_000, 10_000].map(
  (bytes): Workload => ({
    name: `size_${bytes}`,
    title: `From end to end, messages of ${bytes.toLocaleString('en')} bytes`,
    about:
      'Order books of this size, one publisher and one subscriber. ' +
      'Only tickbus validates payloads before it publishes; "validate: false" does not.',
    participants: ['tickbus', 'tickbus-unchecked', 'node-redis', 'nats'],
    ...(bytes === 4_000 ? { quick: ['tickbus', 'tickbus-unchecked', 'node-redis'] } : {}),
    metrics: [RATE, ...STREAM_FIGURES],
    open: (participant, context) => openStream({ participant, bytes }, context, fullSpeedLoad),
  }),
);

export const THROUGHPUT: readonly Workload[] = [publish, endToEnd, ...fanOuts, ...sizes];
