// A burst, recorded sessions at a multiple of their pace, and a fast consumer beside stalled ones.

import { fullSpeedLoad } from './end-to-end.ts';
import { openStream } from './stream.ts';
import { type Metric, RATE, STREAM_FIGURES, type Workload } from './workload.ts';

const SECONDS: Metric = {
  name: 'seconds',
  title: 'until all messages are handled',
  unit: 's',
  better: 'lower',
};
const P50: Metric = { name: 'p50', title: 'p50', unit: 'ms', better: 'lower' };
const P99: Metric = { name: 'p99', title: 'p99', unit: 'ms', better: 'lower' };

const BURST = 50_000;

const burst: Workload = {
  name: 'burst',
  title: `A burst of ${BURST.toLocaleString('en')} messages`,
  about:
    'All messages are published at once. Measured from the first publish call to the last handled message.',
  participants: ['tickbus', 'node-redis', 'ioredis', 'nats', 'mqtt'],
  metrics: [SECONDS, P50, P99, ...STREAM_FIGURES],
  open: (participant, context) =>
    openStream({ participant, latency: true }, context, (publisher) =>
      publisher.call('burst', { count: BURST }),
    ),
};

const sessions = [100, 1_000].map(
  (speed): Workload => ({
    name: `recorded_${speed}x`,
    title: `Two recorded sessions at ${speed.toLocaleString('en')} times their pace`,
    about:
      'Quotes and trades of Coinbase and Binance futures, two sessions of 30 s, replayed at a multiple of their pace.',
    participants: ['tickbus', 'node-redis', 'nats'],
    metrics: [P50, P99, ...STREAM_FIGURES],
    open: (participant, context) => {
      if (context.recordings.length === 0)
        throw new Error('the recorded sessions are missing (../shared/data)');
      return openStream({ participant, latency: true }, context, (publisher) =>
        publisher.call('replay', { paths: context.recordings, speed }),
      );
    },
  }),
);

const slowConsumer: Workload = {
  name: 'slow_consumer',
  title: 'A fast consumer beside stalled ones',
  about:
    'As from end to end, with a second handler on the same subscriber that never returns, ' +
    'a stopped subscriber process (SIGSTOP), and the default output limits of Redis. ' +
    'Compared with the same consumer alone.',
  participants: ['tickbus-beside-stalled', 'tickbus'],
  quick: ['tickbus-beside-stalled', 'tickbus'],
  metrics: [RATE, ...STREAM_FIGURES],
  open: (participant, context) => {
    const besideStopped = participant === 'tickbus-beside-stalled';
    return openStream({ participant, besideStopped }, context, fullSpeedLoad);
  },
};

export const BURSTS: readonly Workload[] = [burst, ...sessions, slowConsumer];
