// `tickbus replay`: publishes a capture file at its recorded pace.

import { type PacedOptions, paced } from '@tickbus/capture';
import { InvalidArgumentError } from 'commander';
import type { Channel, PayloadInput, TickbusError } from 'tickbus';
import { RedisPublisher } from 'tickbus/publisher';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { globToRegExp } from '../filters.ts';
import { above0, list } from '../option-parsers.ts';
import { toUserError } from '../payload.ts';
import { type MessageToReplay, replayedMessages } from '../replay-messages.ts';
import { type DefineVerb, examples } from '../verb.ts';

interface ReplayOptions {
  readonly speed: number;
  readonly loop?: boolean;
  readonly only?: readonly string[];
  readonly commands?: boolean;
  readonly sender?: string;
}

/** Maximum publishes in flight; at this limit, reading pauses. */
const WINDOW = 512;

export const define: DefineVerb = (command, bind) => {
  command
    .argument('<file>', 'a capture by tickbus record, the gateway or a venue; plain or gzipped')
    .option('--speed <n>', 'factor of the recorded speed, or max for no pauses', speed, 1)
    .option('--loop', 'restart at the end, until Ctrl-C')
    .option('--only <glob>', 'only these keys: the symbol, the bot, the feed', list)
    .option('--commands', 'also send recorded commands; bots execute them')
    .option('--sender <name>', 'sender of the messages (default: as recorded; replay for venue frames)')
    .addHelpText(
      'after',
      `
Recorded messages go to their original channels. Venue frames (Alpaca, Binance futures, Coinbase) become prices on
PRICE_DATA. Price times are shifted to now. While a gateway holds PRICE_DATA, Redis rejects prices.
${examples(
  ['tickbus replay session.jsonl.gz', 'at the recorded pace'],
  ['tickbus replay session.jsonl.gz --speed 10 --loop --only AAPL,MSFT', 'two symbols, faster, until Ctrl-C'],
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
  const run = new ReplayRun(context, options, publisher);
  if (terminal.isVerbose || terminal.showsProgress) terminal.note(`Replaying ${path}. Ctrl-C ends it.`);
  try {
    do {
      const pace: PacedOptions = { speed: options.speed, signal };
      for await (const message of paced(run.messages(path), pace)) await run.publish(message);
      await run.settled();
      if (run.published + run.invalid === 0)
        throw new Error(
          `Nothing to replay in ${path}: every message was omitted. Check the file, --only and --commands.`,
        );
    } while (options.loop);
  } finally {
    if (run.hasMessages) terminal.note(run.summary);
  }
  return run.invalid > 0 ? EXIT.failure : EXIT.ok;
}

class ReplayRun {
  readonly #context: Context;
  readonly #options: ReplayOptions;
  readonly #publisher: RedisPublisher;
  readonly #byChannel = new Map<string, number>();
  #inFlight = 0;
  #onSettled: () => void = () => {};
  #failure: Error | undefined;
  published = 0;
  invalid = 0;
  #commands = 0;
  #foreign = 0;
  #excluded = 0;

  constructor(context: Context, options: ReplayOptions, publisher: RedisPublisher) {
    this.#context = context;
    this.#options = options;
    this.#publisher = publisher;
  }

  /** Whether the file held any message. */
  get hasMessages(): boolean {
    return this.#byChannel.size + this.#commands + this.#foreign + this.#excluded > 0;
  }

  /** Counts of published and omitted messages, with the reason of each omission. */
  get summary(): string {
    const published = [...this.#byChannel].filter(([, count]) => count > 0);
    const parts = published.map(([channel, count]) => `${count} on ${channel}`);
    const omitted = [
      [this.invalid, 'invalid'],
      [this.#commands, 'commands: add --commands'],
      [this.#foreign, 'not tickbus messages'],
      // Reported only if nothing was published: otherwise --only worked as intended.
      [this.published > 0 ? 0 : this.#excluded, 'excluded by --only'],
    ] as const;
    const reasons = omitted.filter(([count]) => count > 0).map(([count, why]) => `${count} (${why})`);
    const rest = reasons.length > 0 ? ` Omitted: ${reasons.join(', ')}.` : '';
    return `Published ${parts.join(', ') || 'nothing'}.${rest}`;
  }

  /** The messages of the file that pass --only and --commands. */
  async *messages(path: string): AsyncGenerator<MessageToReplay> {
    const { only, commands } = this.#options;
    const globs = only?.map(globToRegExp);
    for await (const message of replayedMessages(path, () => this.#foreign++)) {
      const { key } = message;
      if (globs !== undefined && !globs.some((glob) => key !== undefined && glob.test(key))) this.#excluded++;
      else if (message.channel.kind === 'command' && !commands) this.#commands++;
      else yield message;
    }
  }

  /** Waits while WINDOW publishes are in flight. @throws the error of an earlier publish, unless it was invalid */
  async publish(message: MessageToReplay): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { channel, type } = message;
    const sender = this.#options.sender ?? message.sender;
    const payload = message.payloadAt(Date.now()) as PayloadInput<typeof channel>;
    this.#inFlight++;
    // The summary lists channels in the order of the file, not of the replies.
    this.#byChannel.set(channel.name, this.#byChannel.get(channel.name) ?? 0);
    this.#publisher
      .publish(channel, payload, { type, ...(sender !== undefined && { sender }) })
      .then(
        () => this.#count(channel.name),
        (error: TickbusError) => this.#onError(channel, error),
      )
      .finally(() => {
        this.#inFlight--;
        this.#onSettled();
      });
    if (this.#inFlight >= WINDOW) await this.#nextSettled();
  }

  async settled(): Promise<void> {
    while (this.#inFlight > 0) await this.#nextSettled();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #nextSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = resolve;
    });
  }

  #count(channel: string): void {
    this.published++;
    this.#byChannel.set(channel, (this.#byChannel.get(channel) ?? 0) + 1);
  }

  /** Omits an invalid message and warns about the first one; any other error ends the replay. */
  #onError(channel: Channel, error: TickbusError): void {
    if (error.code !== 'TICKBUS_INVALID_MESSAGE') this.#failure ??= toUserError(error);
    else if (this.invalid++ === 0)
      this.#context.terminal.warn(`Omitted an invalid message of ${channel}: ${error.message}`);
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
