// Exposes the gateway's statistics as Prometheus metrics, read at each scrape.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { RecorderStats } from '../recorder/capture-recorder.ts';
import type { GatewayStats } from './stats.ts';

const FEED_STATES = ['connecting', 'live', 'silent', 'degraded', 'down', 'stopping', 'stopped'] as const;

/**
 * The registry also contains the default metrics of the process: CPU, memory, event loop delay.
 *
 * @param recorderStats undefined if nothing is recorded
 */
export function createMetrics(stats: () => GatewayStats, recorderStats?: () => RecorderStats): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { counter, labelled, gauge } = metricFactories(registry, stats);

  new Gauge({
    name: `${PREFIX}info`,
    help: 'Always 1; the label is the channel that the gateway publishes on.',
    labelNames: ['channel'],
    registers: [registry],
    collect() {
      this.set({ channel: stats().channel }, 1);
    },
  });
  gauge('active', '1 while the gateway holds the lease, 0 on standby.', ({ role }) =>
    Number(role === 'active'),
  );
  counter('take_overs_total', 'Times the gateway became active.', ({ takeOvers }) => takeOvers);
  counter('broker_attempts_total', 'Connection attempts to the broker.', ({ attempts }) => attempts);
  labelled(
    'broker_errors_total',
    "Lost or refused connections, by the broker's error code.",
    'code',
    (now) => now.brokerErrors,
  );
  counter('frames_total', 'Frames received from the broker.', ({ frames }) => frames);
  counter('invalid_frames_total', 'Frames that were not understood.', ({ invalidFrames }) => invalidFrames);
  counter(
    'events_total',
    'Trades, quotes and other events of requested instruments in the frames.',
    ({ events }) => events,
  );
  labelled('events_dropped_total', 'Events that yielded no price.', 'reason', ({ dropped }) => dropped);
  counter('prices_published_total', 'Prices published to Redis.', ({ published }) => published);
  labelled(
    'trades_total',
    'Trades, corrections and cancels for TRADES, by what became of them.',
    'outcome',
    ({ trades }) => trades,
  );
  gauge('trades_waiting', 'Trades that wait to be published.', ({ tradesWaiting }) => tradesWaiting);
  labelled('publish_failures_total', 'Failed publishes.', 'code', ({ failures }) => failures);
  gauge('instruments_wanted', 'Requested instruments.', ({ wanted }) => wanted);
  gauge('instruments_refused', 'Requested instruments that are not served.', ({ refused }) => refused);
  gauge(
    'instruments_left_out',
    "Instruments beyond the gateway's limit of requests.",
    ({ leftOut }) => leftOut,
  );
  gauge(
    'quiet_seconds',
    'Seconds since the last frame of the broker; NaN before the first.',
    ({ quietForMs }) => (quietForMs === undefined ? Number.NaN : quietForMs / 1_000),
  );
  new Gauge({
    name: `${PREFIX}feed_state`,
    help: "1 for the feed's current state; all 0 on standby.",
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const state of FEED_STATES) this.set({ state }, Number(stats().feed?.state === state));
    },
  });
  if (recorderStats !== undefined) addRecorderMetrics(registry, recorderStats);
  return registry;
}

function addRecorderMetrics(registry: Registry, stats: () => RecorderStats): void {
  const { counter } = metricFactories(registry, stats);
  counter('recorded_frames_total', 'Frames written to a file.', ({ written }) => written);
  counter(
    'unrecorded_frames_total',
    'Frames not recorded, because the buffer was full or a write failed.',
    ({ dropped }) => dropped,
  );
  counter('recorded_bytes_total', 'Compressed bytes written.', ({ bytes }) => bytes);
  counter('recorded_files_total', 'Files created.', ({ files }) => files);
}

const PREFIX = 'tickbus_gateway_';

/** Factories for metrics that read the statistics when they are collected. */
function metricFactories<Stats>(registry: Registry, stats: () => Stats) {
  const registers = [registry];
  return {
    counter(name: string, help: string, read: (stats: Stats) => number): void {
      const collect = function (this: Counter) {
        this.reset();
        this.inc(read(stats()));
      };
      new Counter({ name: PREFIX + name, help, registers, collect });
    },
    labelled(
      name: string,
      help: string,
      label: string,
      read: (stats: Stats) => Readonly<Record<string, number>>,
    ): void {
      const collect = function (this: Counter) {
        this.reset();
        for (const [value, count] of Object.entries(read(stats()))) this.inc({ [label]: value }, count);
      };
      new Counter({ name: PREFIX + name, help, labelNames: [label], registers, collect });
    },
    gauge(name: string, help: string, read: (stats: Stats) => number): void {
      const collect = function (this: Gauge) {
        this.set(read(stats()));
      };
      new Gauge({ name: PREFIX + name, help, registers, collect });
    },
  };
}
