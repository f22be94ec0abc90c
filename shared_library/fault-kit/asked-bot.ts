// The bot that is asked: one made with the kit, or a worker with channels of its own.

import { setTimeout as delay } from 'node:timers/promises';
import { defineChannel, type Logger } from 'tickbus';
import { defineBot } from 'tickbus/bot';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { z } from 'zod';

/** How to ask a bot, and how it starts. */
export interface AskedPair {
  ask(
    desk: RedisPublisher,
    options: { readonly id: string; readonly timeoutMs: number },
  ): Promise<{ readonly command_id: string; readonly outcome: string }>;
  start(options: AskedBotOptions): Promise<AskedBot>;
}

export interface AskedBotOptions {
  readonly url: string;
  readonly logger: Logger;
  /** How often each command was carried out, by id. */
  readonly obeyed: Map<string, number>;
}

export interface AskedBot {
  readonly close: () => Promise<unknown>;
}

const BOT = 'asked';
/** A start fails while the server is down, or moves a channel. */
const START_ATTEMPTS = 200;
const RETRY_MS = 50;

export async function startAskedBot(pair: AskedPair, options: AskedBotOptions): Promise<AskedBot> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await pair.start(options);
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
    await delay(RETRY_MS);
  }
}

/** TRADE_COMMANDS and COMMAND_RESULTS. */
export const TRADE: AskedPair = {
  ask: (desk, options) => desk.ask(CHANNELS.TRADE_COMMANDS, { bot: BOT }, { ...options, type: 'cancel_all' }),
  async start({ url, logger, obeyed }) {
    const bot = defineBot({ name: BOT, url, logger }).onCommand('cancel_all', ({ id = '' }) => {
      count(obeyed, id);
      return { outcome: 'done' };
    });
    await bot.start();
    return { close: () => bot.stop() };
  },
};

/** Channels of one's own, JOBS and JOB_RESULTS. */
export function ownPair(partitions: number): AskedPair {
  const results = defineChannel('JOB_RESULTS', {
    kind: 'event',
    messages: { result: z.object({ command_id: z.string(), outcome: z.string() }) },
  });
  const jobs = defineChannel('JOBS', {
    kind: 'command',
    key: 'worker',
    expiresInMs: 30_000,
    ...(partitions > 1 && { partitions }),
    messages: { job: z.object({ worker: z.string() }) },
    answers: results,
  });
  const answer = async (publisher: RedisPublisher, command_id: string) => {
    for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
      const published = await publisher.publish(results, { command_id, outcome: 'done' }).then(
        () => true,
        () => false,
      );
      if (published) return;
      await delay(RETRY_MS);
    }
  };
  return {
    ask: (desk, options) => desk.ask(jobs, { worker: BOT }, options),
    async start({ url, logger, obeyed }) {
      const connection = new RedisConnection({ url, logger });
      const shared = { connection, logger, name: BOT };
      const [subscriber, publisher] = [new RedisSubscriber(shared), new RedisPublisher(shared)];
      const close = async () => {
        await subscriber.close({ timeoutMs: 100 });
        await publisher.close();
        await connection.close();
      };
      subscriber.subscribe(
        jobs,
        ({ id = '' }) => {
          count(obeyed, id);
          // Not awaited: a handler takes one command at a time.
          void answer(publisher, id);
        },
        { keys: [BOT] },
      );
      try {
        // Records the number of partitions, so that the bot need not follow a change first.
        await publisher.publish(jobs, { worker: 'nobody' });
        await subscriber.startListening();
      } catch (error) {
        await close();
        throw error;
      }
      return { close };
    },
  };
}

function count(obeyed: Map<string, number>, id: string): void {
  obeyed.set(id, (obeyed.get(id) ?? 0) + 1);
}
