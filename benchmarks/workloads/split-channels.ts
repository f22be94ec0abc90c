// What partitions cost a publisher, and save a bot that needs a few instruments.

import { fullSpeedLoad } from './end-to-end.ts';
import { openStream } from './stream.ts';
import { RATE, STREAM_FIGURES, type Workload } from './workload.ts';

const PARTICIPANTS = [
  'tickbus',
  'tickbus-16-partitions',
  'tickbus-64-partitions',
  'tickbus-cluster-16-partitions',
  'tickbus-cluster-64-partitions',
];

const throughput: Workload = {
  name: 'partitions',
  title: 'From end to end, with partitions',
  about:
    'As "From end to end", with the channel split by instrument. The subscriber receives all partitions.',
  participants: PARTICIPANTS,
  metrics: [RATE, ...STREAM_FIGURES],
  open: (participant, context) => openStream({ participant }, context, fullSpeedLoad),
};

const RATE_PER_S = 20_000;
const INSTRUMENTS = 1_000;
const RECEIVED = 5;

const fewKeys: Workload = {
  name: 'few_keys',
  title: `A bot with ${RECEIVED} of ${INSTRUMENTS.toLocaleString('en')} instruments`,
  about:
    `${RATE_PER_S.toLocaleString('en')} messages a second. Without partitions the bot receives all of them and drops ` +
    'most. CPU time of its process for each message that it handles.',
  participants: ['tickbus', 'tickbus-16-partitions', 'tickbus-64-partitions'],
  // Moves receiver CPU to the front, because the tables compare the first metric.
  metrics: [...STREAM_FIGURES].sort(
    (one, other) => Number(other.name === 'subscriber_us') - Number(one.name === 'subscriber_us'),
  ),
  open: (participant, context) =>
    openStream({ participant, instruments: INSTRUMENTS, received: RECEIVED }, context, (publisher, seconds) =>
      publisher.call('pace', { seconds: seconds * 2, rate: RATE_PER_S }),
    ),
};

const LOAD_RATE_PER_S = 10_000;

/** The figures from which docs/load.md computes what a number of servers carries. */
const loads = [
  [1, 1],
  [10, 2],
].map(
  ([subscribers = 1, processes = 1]): Workload => ({
    name: `load_${subscribers}`,
    title: `CPU by role, ${subscribers === 1 ? 'one bot' : `${subscribers} bots`} with all instruments`,
    about:
      `${LOAD_RATE_PER_S.toLocaleString('en')} messages a second to ${subscribers} connections. ` +
      'The CPU of a cluster is the sum over its three masters.',
    participants: PARTICIPANTS,
    metrics: STREAM_FIGURES,
    open: (participant, context) =>
      openStream(
        { participant, processes, connections: subscribers / processes },
        context,
        (publisher, seconds) => publisher.call('pace', { seconds: seconds * 2, rate: LOAD_RATE_PER_S }),
      ),
  }),
);

export const PARTITIONS: readonly Workload[] = [throughput, fewKeys, ...loads];
