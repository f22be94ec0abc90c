// Runs the demo from start to shutdown.

import { basename } from 'node:path';
import { pino } from 'pino';
import type { DemoConfig } from './config.ts';
import { startDemoMonitor } from './demo-monitor.ts';
import { DemoStatistics } from './demo-statistics.ts';
import { startSystem } from './demo-system.ts';
import { openTransport } from './demo-transport.ts';
import { startDisplay } from './display.ts';
import { type FailoverResult, runFailover } from './failover.ts';

/** Runs for `config.seconds`, or until `stopRequested` resolves. */
export async function run(config: DemoConfig, stopRequested: Promise<void>): Promise<void> {
  const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
  const transport = await openTransport(config.redisUrl, logger);
  const statistics = new DemoStatistics();
  const hooks = {
    onPrice: statistics.onPrice.bind(statistics),
    onCommand: statistics.onCommand.bind(statistics),
  };
  // The monitor starts first, so that it sees the other components connect.
  const monitor = await startDemoMonitor(transport, logger);
  const system = await startSystem(config, transport, hooks, logger);
  const display = startDisplay(
    {
      system,
      statistics,
      description: transport.description,
      prices: describePrices(config),
      monitor: monitor.description,
    },
    process.stdout,
  );
  let failover: (() => FailoverResult) | undefined;
  const finished = async () => {
    if (config.failover) failover = await runFailover(system, display.addEvent);
    await elapsed(config.failover ? (config.seconds ?? 0) - statistics.seconds : config.seconds);
  };
  try {
    await Promise.race([stopRequested, finished()]);
  } finally {
    await system.close();
    display.stop();
  }
  if (config.json)
    console.log(JSON.stringify({ ...statistics.summary(system, transport.kind), ...failover?.() }));
  await monitor.close();
  await transport.close();
}

function describePrices({ capture, speed, rate }: DemoConfig): string {
  return capture === undefined ? `simulated prices, ${rate}/s` : `${basename(capture)} at ${speed}x speed`;
}

function elapsed(seconds: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (seconds !== undefined) setTimeout(resolve, seconds * 1000);
  });
}
