// `tickbus sub`: prints what is published on channels, as it stands on the wire.

import { bundledChannel, bundledNames, hintFor, wireChannel } from '../channels.ts';
import type { Context } from '../context.ts';
import { TimedOut } from '../exit.ts';
import { type Filter, type FilterOptions, filterFrom } from '../filters.ts';
import { count, duration, list } from '../options.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { after, unlessAborted } from '../waiting.ts';
import { jsonLine, prettyLine, readFrame, type WireMessage } from '../wire-message.ts';
import { readWire } from '../wire-reader.ts';

interface SubOptions extends FilterOptions {
  readonly count?: number;
  readonly timeout?: number;
  readonly raw?: boolean;
  readonly snapshot?: boolean;
}

export const define: DefineVerb = (command, bind) => {
  command
    .argument('[channel...]', `channels (default: ${bundledNames.join(', ')})`)
    .option('-n, --count <n>', 'end after so many messages', count)
    .option(
      '-t, --timeout <time>',
      'end after this time; exit code 124 when nothing, or not all of --count, came',
      duration,
    )
    .option('--type <glob>', 'only these message types', list)
    .option('--key <glob>', 'only these keys: the symbol, the bot, the feed', list)
    .option('--sender <glob>', 'only from these senders', list)
    .option('--where <field=glob>', 'only where a field of the payload is so; several must all hold', each)
    .option('--raw', 'the bytes of each message as they are, a line each')
    .option('--snapshot', 'print what the server keeps now, and end')
    .addHelpText(
      'after',
      `\nOn a terminal a line for people, else one JSON object a line. Globs know * and ?.\n${examples(
        ['tickbus sub PRICE_DATA', 'prices, until Ctrl-C'],
        ['tickbus sub PRICE_DATA --key AAPL -n 1 -t 10s', 'the next price of AAPL, or exit code 124'],
        ['tickbus sub PRICE_DATA --snapshot', 'the last price of each symbol'],
        ["tickbus sub TRADE_COMMANDS --where 'bot=paper*'", 'orders to some bots, until Ctrl-C'],
        ["tickbus sub PRICE_DATA | jq '.data.price'", 'as JSON, until Ctrl-C'],
      )}`,
    )
    .action(bind(sub));
};

async function sub(context: Context, options: SubOptions, given: readonly string[]): Promise<void> {
  const names = given.length > 0 ? [...new Set(given)] : bundledNames;
  for (const name of names) wireChannel(name);
  const printer = new Printer(context, filterFrom(options, names), options);
  for (const name of names) if (bundledChannel(name) === undefined) context.terminal.note(hintFor(name));
  if (options.snapshot) return printKept(context, names, printer);

  const { failed } = await readWire(context, names, (channel, frame) =>
    printer.print(readFrame(channel, frame)),
  );
  if (context.terminal.isInteractive || context.terminal.isVerbose)
    context.terminal.note(`Listening to ${names.join(', ')}. Ctrl-C ends it.`);
  const { passed, cancel } = after(options.timeout);
  const timedOut = passed.then(() => {
    if (options.count !== undefined || printer.printed === 0)
      throw new TimedOut(
        `${printer.printed} messages came in time${options.count ? ` of ${options.count}` : ''}.`,
      );
  });
  try {
    await unlessAborted(Promise.race([printer.done, timedOut, failed]), context.signal);
  } finally {
    cancel();
  }
}

async function printKept(context: Context, names: readonly string[], printer: Printer): Promise<void> {
  const { subscribing } = context.connection();
  await subscribing.connect();
  for (const name of names) {
    const channel = wireChannel(name);
    // A channel of somebody's own can be of either kind that keeps something.
    const kinds = channel.kind === 'plain' ? (['state', 'event'] as const) : [channel.kind];
    for (const kind of kinds) {
      const { entries } = await subscribing.read({ ...channel, kind });
      for (const frame of entries) printer.print(readFrame(name, frame, true));
    }
  }
  if (printer.printed === 0) context.terminal.note('The server keeps nothing that was asked for.');
}

class Printer {
  readonly #context: Context;
  readonly #wants: Filter;
  readonly #options: SubOptions;
  /** Resolves once --count messages were printed. */
  readonly done: Promise<void>;
  #resolve: () => void = () => {};
  printed = 0;

  constructor(context: Context, wants: Filter, options: SubOptions) {
    this.#context = context;
    this.#wants = wants;
    this.#options = options;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  print(message: WireMessage): void {
    const { count: limit = Number.POSITIVE_INFINITY, raw } = this.#options;
    if (this.printed >= limit || !this.#wants(message)) return;
    const { terminal } = this.#context;
    if (raw) terminal.data(Buffer.concat([message.frame, NEWLINE]));
    else terminal.line(terminal.isInteractive ? prettyLine(message, terminal) : jsonLine(message));
    this.printed++;
    if (this.printed === limit) this.#resolve();
  }
}

const NEWLINE = Buffer.from('\n');

function each(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
