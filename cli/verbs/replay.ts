// `tickbus replay`: publishes a capture file again, at the pace at which it was recorded.

import { type PacedOptions, paced } from '@tickbus/capture';
import { InvalidArgumentError } from 'commander';
import type { Channel, PayloadInput, TickbusError } from 'tickbus';
import { RedisPublisher } from 'tickbus/publisher';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { globToRegExp } from '../filters.ts';
import { above0, list } from '../options.ts';
import { explained } from '../payload.ts';
import { type ReplayedMessage, replayedMessages } from '../replayed.ts';
import { type DefineVerb, examples } from '../verb.ts';

interface ReplayOptions {
  readonly speed: number;
  readonly loop?: boolean;
  readonly only?: readonly string[];
  readonly commands?: boolean;
  readonly sender?: string;
}

/** So many publishes may be on their way; then the file waits. */
const WINDOW = 512;

export const define: DefineVerb = (command, bind) => {
  command
    .argument('<file>', 'a capture of tickbus record, of the gateway, or of a venue; plain or gzipped')
    .option('--speed <n>', '2 is twice as fast as it was recorded, max as fast as it goes', speed, 1)
    .option('--loop', 'begin again at the end, until Ctrl-C')
    .option('--only <glob>', 'only these keys: the symbol, the bot, the feed', list)
    .option('--commands', 'send recorded commands too: bots will obey them')
    .option('--sender <name>', 'who says it (default: the recorded one; replay for the frames of a venue)')
    .addHelpText(
      'after',
      `
Recorded messages go to the channels they came from. Frames of a venue (Alpaca, Binance futures, Coinbase) become prices
on PRICE_DATA. The time of each price is moved to now. While a gateway holds PRICE_DATA, prices are refused.
${examples(
  ['tickbus replay session.jsonl.gz', 'at the pace at which it was recorded'],
  ['tickbus replay session.jsonl.gz --speed 10 --loop --only AAPL,MSFT', 'some of it, faster, until Ctrl-C'],
)}`,
    )
    .action(bind(replay));
};

async function replay(context: Context, options: ReplayOptions, path: string): Promise<number> {
  const { terminal, signal } = context;
  const publisher = context.closing(
    new RedisPublisher({ connection: context.connection(), logger: context.logger, sender: 'replay' }),
  );
  await publisher.connect();
  const run = new Replay(context, options, publisher);
  if (terminal.isVerbose || terminal.showsProgress) terminal.note(`Replaying ${path}. Ctrl-C ends it.`);
  try {
    do {
      const pace: PacedOptions = { speed: options.speed, signal };
      for await (const message of paced(run.wanted(path), pace)) await run.publish(message);
      await run.settled();
      if (run.published + run.refused === 0)
        throw new Error(`${path} holds nothing that can be replayed here.`);
    } while (options.loop);
  } finally {
    if (run.hasBegun) terminal.note(run.summary);
  }
  return run.refused > 0 ? EXIT.failure : EXIT.ok;
}

class Replay {
  readonly #context: Context;
  readonly #options: ReplayOptions;
  readonly #publisher: RedisPublisher;
  readonly #byChannel = new Map<string, number>();
  #onTheirWay = 0;
  #onSettled: () => void = () => {};
  #failure: Error | undefined;
  published = 0;
  refused = 0;
  #commands = 0;
  #strangers = 0;
  #unwanted = 0;

  constructor(context: Context, options: ReplayOptions, publisher: RedisPublisher) {
    this.#context = context;
    this.#options = options;
    this.#publisher = publisher;
  }

  /** Whether there was anything in the file. */
  get hasBegun(): boolean {
    return this.#byChannel.size + this.#commands + this.#strangers + this.#unwanted > 0;
  }

  /** What was published, and what was not, which nobody should have to find out. */
  get summary(): string {
    const published = [...this.#byChannel].filter(([, count]) => count > 0);
    const parts = published.map(([channel, count]) => `${count} on ${channel}`);
    const leftOut = [
      [this.refused, 'not valid'],
      [this.#commands, 'commands, without --commands'],
      [this.#strangers, 'no messages of tickbus'],
      // Where something was published, it is what --only is for.
      [this.published > 0 ? 0 : this.#unwanted, 'of other keys than those of --only'],
    ] as const;
    const reasons = leftOut.filter(([count]) => count > 0).map(([count, why]) => `${count} (${why})`);
    const rest = reasons.length > 0 ? ` Left out: ${reasons.join(', ')}.` : '';
    return `Published ${parts.join(', ') || 'nothing'}.${rest}`;
  }

  /** What of the file is to be published. */
  async *wanted(path: string): AsyncGenerator<ReplayedMessage> {
    const { only, commands } = this.#options;
    const globs = only?.map(globToRegExp);
    for await (const message of replayedMessages(path, () => this.#strangers++)) {
      const { key } = message;
      if (globs !== undefined && !globs.some((glob) => key !== undefined && glob.test(key))) this.#unwanted++;
      else if (message.channel.kind === 'command' && !commands) this.#commands++;
      else yield message;
    }
  }

  /** Waits only while too many are on their way. @throws what ended an earlier one, unless it was not valid */
  async publish(message: ReplayedMessage): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { channel, type } = message;
    const sender = this.#options.sender ?? message.sender;
    const payload = message.payloadAt(Date.now()) as PayloadInput<typeof channel>;
    this.#onTheirWay++;
    // In the order of the file, not of the replies.
    this.#byChannel.set(channel.name, this.#byChannel.get(channel.name) ?? 0);
    this.#publisher
      .publish(channel, payload, { type, ...(sender !== undefined && { sender }) })
      .then(
        () => this.#count(channel.name),
        (error: TickbusError) => this.#fail(channel, error),
      )
      .finally(() => {
        this.#onTheirWay--;
        this.#onSettled();
      });
    if (this.#onTheirWay >= WINDOW) await this.#oneSettled();
  }

  async settled(): Promise<void> {
    while (this.#onTheirWay > 0) await this.#oneSettled();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #oneSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = resolve;
    });
  }

  #count(channel: string): void {
    this.published++;
    this.#byChannel.set(channel, (this.#byChannel.get(channel) ?? 0) + 1);
  }

  /** What breaks its schema is left out, the first of them with its reason; anything else ends the replay. */
  #fail(channel: Channel, error: TickbusError): void {
    if (error.code !== 'TICKBUS_INVALID_MESSAGE') this.#failure ??= explained(error, channel);
    else if (this.refused++ === 0)
      this.#context.terminal.warn(`A recorded message of ${channel} is left out: ${error.message}`);
  }
}

function speed(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  try {
    return above0(text);
  } catch {
    throw new InvalidArgumentError('Use a number above 0, or max.');
  }
}
