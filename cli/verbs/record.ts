// `tickbus record`: writes published messages to a capture file for `tickbus replay` and the simulated broker.

import { printable } from 'tickbus/admin';
import { CaptureWriter } from '../capture-writer.ts';
import { chosenNames, knownNames } from '../channel-lookup.ts';
import type { Context } from '../context.ts';
import { type FilterOptions, filterFrom } from '../filters.ts';
import { list } from '../option-parsers.ts';
import { addStopOptions, StopCondition, type StopOptions } from '../stop-condition.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { readFrames } from '../wire-message.ts';
import { readWire } from '../wire-reader.ts';

interface RecordOptions extends FilterOptions, StopOptions {
  readonly force?: boolean;
}

export const define: DefineVerb = (command, bind) => {
  const described = command
    .argument('<file>', 'a new file, gzipped if its name ends with .gz')
    .argument('[channel...]', `channels (default: ${knownNames().join(', ')})`);
  addStopOptions(described)
    .option('--key <glob>', 'only these keys: the symbol, the bot, the feed', list)
    .option('--force', 'overwrite an existing file')
    .addHelpText(
      'after',
      `\nEach line is {"at": seconds, "dir": "in", "channel": name, "frame": the message as it came}.\n${examples(
        ['tickbus record prices.jsonl.gz PRICE_DATA', 'until Ctrl-C'],
        ['tickbus record all.jsonl -t 1s', 'all channels for one second'],
      )}`,
    )
    .action(bind(record));
};

async function record(
  context: Context,
  options: RecordOptions,
  path: string,
  given: readonly string[],
): Promise<void> {
  const { terminal, signal } = context;
  const names = chosenNames(given, options.key !== undefined);
  const matches = filterFrom(options, names);
  const connection = context.connection();
  // Connect first: --force must not empty a file if Redis is unreachable.
  await connection.subscribing.connect();
  const writer = await CaptureWriter.open(path, options.force);
  const stop = new StopCondition(options);
  try {
    const { failed } = await readWire(context, connection, names, (channel, frame) => {
      const receivedAt = Date.now();
      for (const message of readFrames(channel, frame)) {
        if (stop.isCountReached || !matches(message)) continue;
        writer.write(channel, message.frame, receivedAt);
        stop.count();
      }
    });
    if (terminal.isVerbose || terminal.showsProgress)
      terminal.note(`Recording ${printable(names.join(', '), 1_000)}. Ctrl-C ends it.`);
    await stop.wait(signal, [failed, writer.failed]);
  } finally {
    await writer.close();
    terminal.note(`${writer.written} ${writer.written === 1 ? 'message is' : 'messages are'} in ${path}.`);
    if (writer.dropped > 0)
      terminal.warn(
        `Dropped ${writer.dropped} messages: the disk is too slow. Record fewer channels or use a faster disk.`,
      );
  }
}
