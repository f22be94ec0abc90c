// `tickbus record`: writes what is published into a capture file, which `tickbus replay` and the simulated broker read.

import { CaptureWriter } from '../capture-writer.ts';
import { bundledNames, wireChannel } from '../channels.ts';
import type { Context } from '../context.ts';
import { TimedOut } from '../exit.ts';
import { type FilterOptions, filterFrom } from '../filters.ts';
import { count, duration, list } from '../options.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { after, unlessAborted } from '../waiting.ts';
import { readFrame } from '../wire-message.ts';
import { readWire } from '../wire-reader.ts';

interface RecordOptions extends FilterOptions {
  readonly count?: number;
  readonly timeout?: number;
  readonly force?: boolean;
}

export const define: DefineVerb = (command, bind) => {
  command
    .argument('<file>', 'a new file; gzipped if its name ends with .gz')
    .argument('[channel...]', `channels (default: ${bundledNames.join(', ')})`)
    .option('-n, --count <n>', 'end after so many messages', count)
    .option(
      '-t, --timeout <time>',
      'end after this time; exit code 124 when nothing, or not all of --count, came',
      duration,
    )
    .option('--key <glob>', 'only these keys: the symbol, the bot, the feed', list)
    .option('--force', 'write over a file that is there')
    .addHelpText(
      'after',
      `\nEach line is {"at": seconds, "dir": "in", "channel": name, "frame": the message as it came}.\n${examples(
        ['tickbus record prices.jsonl.gz PRICE_DATA', 'until Ctrl-C'],
        ['tickbus record all.jsonl -t 1s', 'everything for a while'],
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
  const names = given.length > 0 ? [...new Set(given)] : bundledNames;
  for (const name of names) wireChannel(name);
  const wants = filterFrom(options, names);
  const writer = await CaptureWriter.open(path, options.force);
  const { count: limit = Number.POSITIVE_INFINITY, timeout } = options;
  let onEnough: () => void = () => {};
  const enough = new Promise<void>((resolve) => {
    onEnough = resolve;
  });
  const pause = after(timeout);
  try {
    const reader = await readWire(context, names, (channel, frame) => {
      if (writer.written >= limit || !wants(readFrame(channel, frame))) return;
      writer.write(channel, frame, Date.now());
      if (writer.written >= limit) onEnough();
    });
    if (terminal.isVerbose || terminal.showsProgress)
      terminal.note(`Recording ${names.join(', ')}. Ctrl-C ends it.`);
    const timedOut = pause.passed.then(() => {
      if (options.count !== undefined || writer.written === 0)
        throw new TimedOut(
          `${writer.written} messages came in time${options.count ? ` of ${options.count}` : ''}.`,
        );
    });
    await unlessAborted(Promise.race([enough, timedOut, reader.failed, writer.failed]), signal);
  } finally {
    pause.cancel();
    await writer.close();
    terminal.note(`${writer.written} messages are in ${path}.`);
    if (writer.leftOut > 0) terminal.warn(`${writer.leftOut} messages were left out: the disk is too slow.`);
  }
}
