// Throughput: publishing alone, from end to end, to many subscribers, and by message size.

import { openPublishFloor } from './publish-floor.ts';
import { openStream, type PublishLoad } from './stream.ts';
import { type Metric, RATE, STREAM_FIGURES, type Workload } from './workload.ts';

/** Messages that may be unanswered: enough for every peer's pipelining, little enough not to be a burst. */
export const WINDOW = 1_000;
/** Messages handed over in one turn of the event loop. */
const TURN = 100;

const EVERYBODY = [
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

export const blastFeed: PublishLoad = (publisher, seconds) =>
  publisher.call('blast', { seconds, window: WINDOW, turn: TURN });

const publish: Workload = {
  name: 'publish',
  title: 'Publishing, nobody listening',
  about: `One publisher, ${TURN} messages a turn of the event loop, at most ${WINDOW.toLocaleString('en')} unanswered.`,
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
      : openStream({ participant, processes: 0 }, context, blastFeed),
};

const endToEnd: Workload = {
  name: 'end_to_end',
  title: 'From end to end, one publisher and one subscriber',
  about:
    'As fast as it goes: from the first message handed over to the last one parsed, validated and handled. All messages count, none may be lost.',
  participants: EVERYBODY,
  quick: ['tickbus', 'node-redis', 'nats'],
  metrics: [RATE, ...STREAM_FIGURES],
  open: (participant, context) => openStream({ participant }, context, blastFeed),
};

/** Subscribers, and over how many processes they are spread. */
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
    about: `${subscribers} connections in ${processes} ${processes === 1 ? 'process' : 'processes'}, each parsing and validating every message; deliveries are those of all together.`,
    participants,
    ...(subscribers === 50 ? { quick: ['tickbus', 'tickbus-singly', 'node-redis'] } : {}),
    metrics: [DELIVERIES, ...STREAM_FIGURES],
    open: (participant, context) => {
      const connections = subscribers / processes;
      return openStream({ participant, processes, connections }, context, fanOutFeed(subscribers));
    },
  };
});

/** Smaller windows to many, so that a run is not one window. */
function fanOutFeed(subscribers: number): PublishLoad {
  const window = Math.max(50, Math.round(WINDOW / Math.sqrt(subscribers)));
  const turn = Math.min(TURN, Math.ceil(window / 2));
  return (publisher, seconds) => publisher.call('blast', { seconds, window, turn });
}

const sizes = [100, 500, 1_000, 4_000, 10_000].map(
  (bytes): Workload => ({
    name: `size_${bytes}`,
    title: `From end to end, messages of ${bytes.toLocaleString('en')} bytes`,
    about:
      'Order books with as many levels as the size needs, one publisher and one subscriber. Only tickbus validates what it publishes; "validate: false" does not.',
    participants: ['tickbus', 'tickbus-unchecked', 'node-redis', 'nats'],
    ...(bytes === 4_000 ? { quick: ['tickbus', 'tickbus-unchecked', 'node-redis'] } : {}),
    metrics: [RATE, ...STREAM_FIGURES],
    open: (participant, context) => openStream({ participant, bytes }, context, blastFeed),
  }),
);

export const THROUGHPUT: readonly Workload[] = [publish, endToEnd, ...fanOuts, ...sizes];
