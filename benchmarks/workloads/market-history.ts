// What a history by key costs a publisher of trades and bars, and how soon a late bot has the last bars.

import { BenchWorker } from '../bench-worker.ts';
import { startServer } from '../servers.ts';
import { fullSpeedLoad } from './end-to-end.ts';
import { openStream } from './stream.ts';
import { type OpenWorkload, RATE, STREAM_FIGURES, type Workload, type WorkloadContext } from './workload.ts';

const streams: Workload = {
  name: 'market_events',
  title: 'From end to end, trades and bars',
  about:
    'As "From end to end", with trades (a history of 500 for each instrument) and bars (1,000) in place of prices, ' +
    'whose last value alone is kept.',
  participants: ['tickbus', 'tickbus-trades', 'tickbus-bars'],
  metrics: [RATE, ...STREAM_FIGURES],
  open: (participant, context) => openStream({ participant }, context, fullSpeedLoad),
};

const BARS = 200;
const INSTRUMENTS = 100;

const lateBot: Workload = {
  name: 'late_bot',
  title: `Late bot: the last ${BARS} bars of one of ${INSTRUMENTS} instruments`,
  about:
    `From connecting to the last of ${BARS} stored bars. tickbus subscribes, validates and handles, and is live ` +
    'afterwards. Compared with one XREVRANGE and JSON.parse of the same bars, without validation and live data.',
  participants: ['tickbus-bars', 'xrevrange'],
  metrics: [
    { name: 'ms', title: 'complete after', unit: 'ms', better: 'lower' },
    { name: 'joiner_us', title: 'CPU', unit: 'µs/bar', better: 'lower' },
  ],
  open: openLateBot,
};

async function openLateBot(participant: string, { seed }: WorkloadContext): Promise<OpenWorkload> {
  const server = await startServer('redis', { cutsSlowSubscribers: true });
  const worker = new BenchWorker('late bot');
  const options = { server: server.address, bars: BARS };
  await worker.call('fill', {
    peer: 'tickbus-bars',
    server: server.address,
    seed,
    instruments: INSTRUMENTS,
    rounds: BARS,
  });
  const role = participant === 'xrevrange' ? 'joinByXrevrange' : 'joinBars';
  return {
    async run() {
      const { ms, cpuUs } = await worker.call(role, options);
      return { ms, joiner_us: cpuUs / BARS };
    },
    async [Symbol.asyncDispose]() {
      await worker[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

export const MARKET_HISTORY: readonly Workload[] = [streams, lateBot];
