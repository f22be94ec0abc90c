// `npm run demo`: one broker connection in, three bots out, in one process; shows what is going on until Ctrl-C.

import { basename } from 'node:path';
import { pino } from 'pino';
import { gather } from './cast.ts';
import { type DemoConfig, readConfig } from './config.ts';
import { embed } from './embedded.ts';
import { show } from './screen.ts';
import { Tally } from './tally.ts';

const config = readConfig(process.argv.slice(2), process.env);

run(config).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);

async function run(demo: DemoConfig): Promise<void> {
  const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
  const ended = untilEnd(demo.seconds);
  const embedded = await embed(demo.redisUrl, logger);
  const tally = new Tally();
  const cast = await gather(
    demo,
    embedded,
    {
      onPrice: (bot, message) => tally.onPrice(bot, message),
      onCommand: (message) => tally.onCommand(message),
    },
    logger,
  );
  const { description, transport } = embedded;
  const screen = show({ cast, tally, description, prices: describePrices(demo) }, process.stdout);
  await ended;
  await cast.close();
  screen.stop();
  if (demo.json) console.log(JSON.stringify(tally.summary(cast, transport)));
  await embedded.close();
}

function describePrices({ capture, speed, rate }: DemoConfig): string {
  return capture === undefined
    ? `made-up prices, ${rate}/s`
    : `${basename(capture)} at ${speed} times its pace`;
}

/** After so many seconds, or at the first Ctrl-C, SIGTERM or closing of the terminal; the second ends the process at once. */
function untilEnd(seconds: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const end = () => {
      if (asked) process.exit(0);
      asked = true;
      resolve();
    };
    process.on('SIGINT', end);
    process.on('SIGTERM', end);
    process.on('SIGHUP', end);
    // Whoever read the output has gone, as in `npm run demo | head`.
    process.stdout.on('error', () => process.exit(0));
    if (seconds !== undefined) setTimeout(resolve, seconds * 1000);
  });
}
