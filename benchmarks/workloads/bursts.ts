// A burst at once, a recorded session faster than it was, and a consumer that stalls beside one that does not.

import { blastFeed } from './end-to-end.ts';
import { openStream } from './stream.ts';
import { type Metric, RATE, STREAM_FIGURES, type Workload } from './workload.ts';

const SECONDS: Metric = { name: 'seconds', title: 'until all is handled', unit: 's', better: 'lower' };
const P50: Metric = { name: 'p50', title: 'p50', unit: 'ms', better: 'lower' };
const P99: Metric = { name: 'p99', title: 'p99', unit: 'ms', better: 'lower' };

const BURST = 50_000;

const burst: Workload = {
  name: 'burst',
  title: `A burst of ${BURST.toLocaleString('en')} messages`,
  about: 'All handed over at once, none awaited in between; from the first one to the last one handled.',
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
      'Quotes and trades of Coinbase and Binance futures, one session after the other, 30 s each, replayed with the pauses that they had.',
    participants: ['tickbus', 'node-redis', 'nats'],
    metrics: [P50, P99, ...STREAM_FIGURES],
    open: (participant, context) => {
      if (context.recordings.length === 0)
        throw new Error('the recorded sessions are not here (../shared/data)');
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
    'As from end to end. Beside it stand, on the same subscriber, a handler that never comes back, and a subscriber process that was stopped (SIGSTOP), at a Redis with its usual output limits. Against the same consumer alone.',
  participants: ['tickbus-beside-stalled', 'tickbus'],
  quick: ['tickbus-beside-stalled', 'tickbus'],
  metrics: [RATE, ...STREAM_FIGURES],
  open: (participant, context) => {
    const besideStopped = participant === 'tickbus-beside-stalled';
    return openStream({ participant, besideStopped }, context, blastFeed);
  },
};

export const BURSTS: readonly Workload[] = [burst, ...sessions, slowConsumer];
