// Exposes the statistics of a bar builder as Prometheus metrics, read at each scrape.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { BarStats } from './bar-stats.ts';

/** The registry also contains the default metrics of the process: CPU, memory, event loop delay. */
export function createMetrics(stats: () => BarStats): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const [name, { help, read }] of Object.entries(GAUGES))
    new Gauge({
      name: PREFIX + name,
      help,
      registers,
      collect() {
        this.set(read(stats()));
      },
    });
  for (const [name, { help, label, read }] of Object.entries(COUNTERS))
    new Counter({
      name: PREFIX + name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers,
      collect() {
        this.reset();
        for (const [value, count] of Object.entries(read(stats())))
          this.inc(label === undefined ? {} : { [label]: value }, count);
      },
    });
  return registry;
}

const PREFIX = 'tickbus_bars_';

const GAUGES: Readonly<Record<string, { help: string; read: (stats: BarStats) => number }>> = {
  active: {
    help: '1 while the builder holds the lease, 0 on standby.',
    read: ({ role }) => Number(role === 'active'),
  },
  waiting: { help: 'Bars that are built and not published.', read: ({ waiting }) => waiting },
};

interface CounterSource {
  readonly help: string;
  /** The label of the counts, if there are several. */
  readonly label?: string;
  readonly read: (stats: BarStats) => Readonly<Record<string, number>>;
}

const COUNTERS: Readonly<Record<string, CounterSource>> = {
  take_overs_total: { help: 'Times the builder became active.', read: ({ takeOvers }) => ({ takeOvers }) },
  published_total: { help: 'Bars published, revisions included.', read: ({ published }) => ({ published }) },
  revisions_total: { help: 'Revisions published.', read: ({ revisions }) => ({ revisions }) },
  incomplete_total: {
    help: 'Published bars that say that trades are missing.',
    read: ({ incomplete }) => ({ incomplete }),
  },
  lost_total: { help: 'Bars that were not published, and never will be.', read: ({ lost }) => ({ lost }) },
  unrevised_total: {
    help: 'Bars of another builder that were not revised, because trades are missing here.',
    read: ({ unrevised }) => ({ unrevised }),
  },
  settled_early_total: {
    help: 'Trades that could not be changed for as long as BAR_REVISE_FOR, because too many were kept.',
    read: ({ settledEarly }) => ({ settledEarly }),
  },
  publish_failures_total: { help: 'Failed publishes.', label: 'code', read: ({ failures }) => failures },
  ignored_total: {
    help: 'Trades, corrections and cancels that are in no bar.',
    label: 'reason',
    read: ({ ignored }) => ({ ...ignored }),
  },
};
