// The gateway's figures for Prometheus, read from its statistics whenever somebody asks.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { RecorderStats } from '../recorder/capture-recorder.ts';
import type { GatewayStats } from './stats.ts';

const FEED_STATES = ['connecting', 'live', 'silent', 'down', 'stopping', 'stopped'] as const;

/**
 * Those of the process too: CPU, memory, delay of the event loop.
 *
 * @param recorderStats undefined where nothing is recorded
 */
export function createMetrics(stats: () => GatewayStats, recorderStats?: () => RecorderStats): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { counter, labelled, gauge } = metricFactories(registry, stats);

  gauge('active', '1 while it holds the lease, 0 on standby.', ({ role }) => Number(role === 'active'));
  counter('take_overs_total', 'Times it became the active one.', ({ takeOvers }) => takeOvers);
  counter('broker_attempts_total', 'Connections to the broker that were tried.', ({ attempts }) => attempts);
  labelled(
    'broker_errors_total',
    "Lost or refused connections, by the broker's code.",
    'code',
    (now) => now.brokerErrors,
  );
  counter('frames_total', 'Frames of the broker.', ({ frames }) => frames);
  counter('invalid_frames_total', 'Frames that could not be read.', ({ invalidFrames }) => invalidFrames);
  counter('events_total', 'Trades and quotes in the frames.', ({ events }) => events);
  labelled('events_dropped_total', 'Events that gave no price.', 'reason', ({ dropped }) => dropped);
  counter('prices_published_total', 'Prices that Redis has published.', ({ published }) => published);
  labelled('publish_failures_total', 'Publishes that did not succeed.', 'code', ({ failures }) => failures);
  gauge('instruments_wanted', 'Instruments that are asked for.', ({ wanted }) => wanted);
  gauge('instruments_refused', 'Those of them that the broker does not give.', ({ refused }) => refused);
  gauge('quiet_seconds', 'Since the last frame of the broker; NaN without one.', ({ quietForMs }) =>
    quietForMs === undefined ? Number.NaN : quietForMs / 1_000,
  );
  new Gauge({
    name: `${PREFIX}feed_state`,
    help: '1 for the state that the feed is in; all 0 on standby.',
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
  counter('recorded_frames_total', 'Frames that are in a file.', ({ written }) => written);
  counter(
    'unrecorded_frames_total',
    'Frames that are in none, as they came too fast or could not be written.',
    ({ dropped }) => dropped,
  );
  counter('recorded_bytes_total', 'Compressed bytes written.', ({ bytes }) => bytes);
  counter('recorded_files_total', 'Files begun.', ({ files }) => files);
}

const PREFIX = 'tickbus_gateway_';

/** Makers of metrics that look at the statistics when they are collected. */
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
