// `tickbus sub`: prints the messages of channels as they are on the wire.

import { printable } from 'tickbus/admin';
import { chosenNames, hintFor, knownChannel, knownNames, wireChannel } from '../channel-lookup.ts';
import type { Context } from '../context.ts';
import { type FilterOptions, filterFrom } from '../filters.ts';
import { list } from '../option-parsers.ts';
import { addStopOptions, StopCondition, type StopOptions } from '../stop-condition.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { jsonLine, prettyLine, readFrame, readFrames, type WireMessage } from '../wire-message.ts';
import { readStored } from '../wire-partitions.ts';
import { readWire } from '../wire-reader.ts';

interface SubOptions extends FilterOptions, StopOptions {
  readonly raw?: boolean;
  readonly snapshot?: boolean;
}

export const define: DefineVerb = (command, bind) => {
  addStopOptions(command.argument('[channel...]', `channels (default: ${knownNames().join(', ')})`))
    .option('--type <glob>', 'only these message types', list)
    .option('--key <glob>', 'only these keys: the symbol, the bot, the feed', list)
    .option('--sender <glob>', 'only from these senders', list)
    .option(
      '--where <field=glob>',
      'only messages whose payload field matches; repeated options must all match',
      each,
    )
    .option('--raw', 'print the raw bytes, one message per line')
    .option('--snapshot', 'print the last values and history on the server, then exit')
    .addHelpText(
      'after',
      `\nPrints readable lines on a terminal, otherwise one JSON object per line. Globs support * and ?.\n${examples(
        ['tickbus sub PRICE_DATA', 'prices, until Ctrl-C'],
        ['tickbus sub PRICE_DATA --key AAPL -n 1 -t 10s', 'the next price of AAPL, or exit code 124'],
        ['tickbus sub PRICE_DATA --snapshot', 'the last price of each symbol'],
        ["tickbus sub TRADE_COMMANDS --where 'bot=paper*'", 'commands to some bots, until Ctrl-C'],
        ["tickbus sub PRICE_DATA | jq '.data.price'", 'as JSON, until Ctrl-C'],
      )}`,
    )
    .action(bind(sub));
};

async function sub(context: Context, options: SubOptions, given: readonly string[]): Promise<void> {
  const names = chosenNames(given, options.key !== undefined);
  const stop = new StopCondition(options);
  const matches = filterFrom(options, names);
  const take = (message: WireMessage) => {
    if (stop.isCountReached || !matches(message)) return;
    print(context, message, options);
    stop.count();
  };
  for (const name of names) if (knownChannel(name) === undefined) context.terminal.note(hintFor(name));
  if (options.snapshot) {
    await readSnapshot(context, names, take);
    if (stop.counted === 0) context.terminal.note('No matching message is stored on the server.');
    return;
  }
  const { failed } = await readWire(context, context.connection(), names, (channel, frame) => {
    for (const message of readFrames(channel, frame)) take(message);
  });
  if (context.terminal.isInteractive || context.terminal.isVerbose)
    context.terminal.note(`Listening to ${printable(names.join(', '), 1_000)}. Ctrl-C ends it.`);
  await stop.wait(context.signal, [failed]);
}

async function readSnapshot(
  context: Context,
  names: readonly string[],
  take: (message: WireMessage) => void,
): Promise<void> {
  const { subscribing } = context.connection();
  await subscribing.connect();
  for (const name of names) {
    const channel = wireChannel(name);
    // A channel without a definition can be of kind `state` or `event`. Both kinds store messages, so both are read.
    const kinds = channel.kind === 'plain' ? (['state', 'event'] as const) : [channel.kind];
    for (const kind of kinds) {
      for (const { entries } of await readStored(subscribing, { ...channel, kind }))
        for (const frame of entries) take(readFrame(name, frame, true));
    }
  }
}

function print({ terminal }: Context, message: WireMessage, { raw }: SubOptions): void {
  if (raw) terminal.data(Buffer.concat([message.frame, NEWLINE]));
  else terminal.line(terminal.isInteractive ? prettyLine(message, terminal) : jsonLine(message));
}

const NEWLINE = Buffer.from('\n');

function each(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
