// The sample bots as a process: settings and logging.

import { pino } from 'pino';
import type { Bot, BotOverrides } from 'tickbus/bot';
import { venueOf } from 'tickbus/constants';
import { type BotName, type BotsConfig, HELP, readConfig } from './config.ts';
import { momentumBot } from './momentum.ts';
import { paperTrader } from './paper-trader.ts';
import { riskGuard } from './risk-guard.ts';

const DEFINE: Readonly<Record<BotName, (options: BotOverrides) => Bot>> = {
  'paper-trader': paperTrader,
  'risk-guard': riskGuard,
  momentum: momentumBot,
};

try {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config === 'help') process.stdout.write(HELP);
  else await run(config);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function run({ BOTS, SYMBOLS, CHANNEL, LOG_LEVEL }: BotsConfig): Promise<void> {
  const logger = pino({ name: 'sample-bots', level: LOG_LEVEL }, pino.destination({ fd: 2, sync: true }));
  const options = { logger, venue: venueOf(CHANNEL), prices: SYMBOLS };
  const bots = BOTS.map((name) => DEFINE[name](options));
  try {
    await Promise.all(bots.map((bot) => bot.run()));
  } catch (error) {
    // The other bots report that they stop, too.
    await Promise.all(bots.map((bot) => bot.stop()));
    throw error;
  }
}
