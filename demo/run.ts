// The demo from its beginning to its end.

import { basename } from 'node:path';
import { pino } from 'pino';
import { gather } from './cast.ts';
import type { DemoConfig } from './config.ts';
import { embed } from './embedded.ts';
import { type FailOver, playFailOver } from './failover.ts';
import { openMonitor } from './monitor.ts';
import { show } from './screen.ts';
import { Tally } from './tally.ts';

/** Plays for the seconds of the configuration, or until `asked` resolves. */
export async function run(config: DemoConfig, asked: Promise<void>): Promise<void> {
  const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
  const embedded = await embed(config.redisUrl, logger);
  const tally = new Tally();
  const hooks = {
    onPrice: tally.onPrice.bind(tally),
    onCommand: tally.onCommand.bind(tally),
  };
  // Before the others, so that it sees them come.
  const monitor = await openMonitor(embedded, logger);
  const cast = await gather(config, embedded, hooks, logger);
  const { description, transport } = embedded;
  const about = { description, prices: describePrices(config), monitor: monitor.description };
  const screen = show({ cast, tally, ...about }, process.stdout);
  let failOver: (() => FailOver) | undefined;
  const played = async () => {
    if (config.failover) failOver = await playFailOver(cast, screen.tell);
    await over(config.failover ? (config.seconds ?? 0) - tally.seconds : config.seconds);
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

function over(seconds: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (seconds !== undefined) setTimeout(resolve, seconds * 1000);
  });
}
