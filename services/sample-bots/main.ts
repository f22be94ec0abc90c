// The sample bots as a process: settings, startup, logging, graceful shutdown.

import { linkFailure, shutDownGracefully } from '@tickbus/graceful-shutdown';
import { pino } from 'pino';
import { RedisConnection } from 'tickbus/connection';
import { priceChannel, venueOf } from 'tickbus/constants';
import type { Bot, BotOptions } from './bot.ts';
import { type BotName, type BotsConfig, HELP, readConfig } from './config.ts';
import { startMomentumBot } from './momentum.ts';
import { startPaperTrader } from './paper-trader.ts';
import { startRiskGuard } from './risk-guard.ts';

/** After this time the process exits even if shutdown has not finished. */
const STOP_DEADLINE_MS = 10_000;

const START: Readonly<Record<BotName, (options: BotOptions) => Promise<Bot>>> = {
  'paper-trader': startPaperTrader,
  'risk-guard': startRiskGuard,
  momentum: startMomentumBot,
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
  const channel = priceChannel(venueOf(CHANNEL));
  const options = { logger, channel, ...(SYMBOLS && { symbols: SYMBOLS }) };
  const selected = BOTS.map((name) => ({ name, connection: new RedisConnection({ logger }) }));
  const connections = selected.map(({ connection }) => connection);
  const failure = linkFailure(...connections);
  const bots: Bot[] = [];
  const stop = async () => {
    await Promise.all(bots.map((bot) => bot.stop()));
    await Promise.all(connections.map((connection) => connection.close()));
  };
  try {
    for (const { name, connection } of selected) bots.push(await START[name]({ ...options, connection }));
  } catch (error) {
    await stop();
    throw error;
  }
  shutDownGracefully({ deadlineMs: STOP_DEADLINE_MS, logger, failure }, async ({ err, signal }) => {
    if (err) logger.fatal({ err }, 'Bots failed; shutting down');
    await stop();
    for (const { name, stats } of bots) logger.info({ signal, bot: name, ...stats }, 'Bot stopped');
  });
  logger.info({ bots: BOTS }, 'Bots started');
}
