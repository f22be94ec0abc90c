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
import { type NodeDownResult, runNodeDown } from './node-down.ts';

/** Runs for `config.seconds`, or until `stopRequested` resolves. */
export async function run(config: DemoConfig, stopRequested: Promise<void>): Promise<void> {
  // A killed node is no surprise, and each of some forty links would log it.
  const level = config.cluster ? 'error' : 'warn';
  const logger = pino({ level }, pino.destination({ fd: 2, sync: true }));
  const transport = await openTransport(config, logger);
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
  let outcome: (() => FailoverResult | NodeDownResult) | undefined;
  const finished = async () => {
    if (config.failover) outcome = await runFailover(system, display.addEvent);
    if (config.cluster) outcome = await runNodeDown(system, transport, display.addEvent);
    const isScenario = config.failover || config.cluster;
    await elapsed(isScenario ? (config.seconds ?? 0) - statistics.seconds : config.seconds);
  };
  try {
    await Promise.race([stopRequested, finished()]);
  } finally {
    await system.close();
    display.stop();
  }
  if (config.json)
    console.log(JSON.stringify({ ...statistics.summary(system, transport.kind), ...outcome?.() }));
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
