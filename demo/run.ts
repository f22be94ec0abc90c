// The demo from its beginning to its end.

import { basename } from 'node:path';
import { pino } from 'pino';
import type { DemoConfig } from './config.ts';
import { startDemoMonitor } from './demo-monitor.ts';
import { startSystem } from './demo-system.ts';
import { openTransport } from './demo-transport.ts';
import { startDisplay } from './display.ts';
import { type FailoverResult, runFailover } from './failover.ts';
import { DemoStatistics } from './statistics.ts';

/** Plays for the seconds of the configuration, or until `asked` resolves. */
export async function run(config: DemoConfig, asked: Promise<void>): Promise<void> {
  const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
  const embedded = await openTransport(config.redisUrl, logger);
  const tally = new DemoStatistics();
  const hooks = {
    onPrice: tally.onPrice.bind(tally),
    onCommand: tally.onCommand.bind(tally),
  };
  // Before the others, so that it sees them come.
  const monitor = await startDemoMonitor(embedded, logger);
  const cast = await startSystem(config, embedded, hooks, logger);
  const { description, transport } = embedded;
  const about = { description, prices: describePrices(config), monitor: monitor.description };
  const screen = startDisplay({ cast, tally, ...about }, process.stdout);
  let failOver: (() => FailoverResult) | undefined;
  const played = async () => {
    if (config.failover) failOver = await runFailover(cast, screen.addEvent);
    await elapsed(config.failover ? (config.seconds ?? 0) - tally.seconds : config.seconds);
  };
  try {
    await Promise.race([asked, played()]);
  } finally {
    await cast.close();
    screen.stop();
  }
  if (config.json) console.log(JSON.stringify({ ...tally.summary(cast, transport), ...failOver?.() }));
  await monitor.close();
  await embedded.close();
}

function describePrices({ capture, speed, rate }: DemoConfig): string {
  return capture === undefined
    ? `made-up prices, ${rate}/s`
    : `${basename(capture)} at ${speed} times its pace`;
}

function elapsed(seconds: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (seconds !== undefined) setTimeout(resolve, seconds * 1000);
  });
}
