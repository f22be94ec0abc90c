// The operator of the desk: sends numbered commands to the bot at a steady rate, and finds those that the bot neither
// handled nor reported.

import type { RedisPublisher } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';
import type { DeskBotReport, ReportedRange } from '../workers/desk-bot.ts';
import { urlOf } from './production-users.ts';

const EVERY_MS = 25;

interface SentCommand {
  readonly id: string;
  readonly epoch: number;
  readonly seq: number;
}

export interface CommandFigures {
  readonly accepted: number;
  readonly handled: number;
  readonly twice: number;
  /** Not handled, and reported as lost, expired or forged. */
  readonly reported: number;
  /** Neither handled nor reported. */
  readonly silent: number;
}

export class OperatorCommands {
  readonly #publisher: RedisPublisher;
  readonly #bot: string;
  readonly #sent: SentCommand[] = [];
  #isStopped = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(testbed: Testbed, bot: string) {
    const url = urlOf('operator', testbed.redis.port);
    const options = { url, sender: 'operator' };
    this.#publisher = testbed.publisher(undefined, options);
    this.#bot = bot;
    testbed.atEnd(() => this.stop());
  }

  /** Sends commands until `stop`. */
  async begin(): Promise<void> {
    await this.#publisher.connect();
    this.#isStopped = false;
    this.#sending = (async () => {
      while (!this.#isStopped) {
        await this.send();
        await delay(EVERY_MS);
      }
    })();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#sending;
  }

  /** Sends one command. @returns its id; undefined if it was not published */
  async send(): Promise<string | undefined> {
    const data = { bot: this.#bot, reason: 'operator' };
    try {
      const { position, id } = await this.#publisher.publish(CHANNELS.TRADE_COMMANDS, data, {
        type: 'resume',
      });
      if (position === undefined || id === undefined) return undefined;
      this.#sent.push({ id, ...position });
      return id;
    } catch {
      return undefined;
    }
  }

  figures({ handled, expired, ranges }: DeskBotReport): CommandFigures {
    const counts = new Map<string, number>();
    for (const id of handled) counts.set(id, (counts.get(id) ?? 0) + 1);
    const late = new Set(expired);
    const missing = this.#sent.filter(({ id }) => !counts.has(id));
    const silent = missing.filter((command) => !late.has(command.id) && !isReported(command, ranges)).length;
    return {
      accepted: this.#sent.length,
      handled: this.#sent.length - missing.length,
      twice: this.#sent.filter(({ id }) => (counts.get(id) ?? 0) > 1).length,
      reported: missing.length - silent,
      silent,
    };
  }
}

/** Whether a reported range contains the command. A range without an end covers the rest of its epoch. */
function isReported({ epoch, seq }: SentCommand, ranges: readonly ReportedRange[]): boolean {
  return ranges.some(
    (range) =>
      range.epoch === epoch && (range.from ?? 0) <= seq && seq <= (range.to ?? Number.POSITIVE_INFINITY),
  );
}
