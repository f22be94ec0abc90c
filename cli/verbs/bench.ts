// `tickbus bench`: throughput and latency between a publisher and subscribers on this server.

import { type BenchOptions, type BenchResult, BenchRun } from '../bench-run.ts';
import type { Context } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { above0, count, duration } from '../option-parsers.ts';
import { type DefineVerb, examples } from '../verb.ts';

interface Flags {
  readonly clients: number;
  readonly msgs?: number;
  readonly size: number;
  readonly rate?: number;
  readonly duration?: number;
  readonly progress: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
}

const DEFAULT_MESSAGES = 100_000;
const MAX_SIZE = 200_000;
const BAR_WIDTH = 30;
/** Width of the text after the bar, with a count of eight digits. A wrapped line cannot be redrawn. */
const COUNTER_WIDTH = 26;

export const define: DefineVerb = (command, bind) => {
  command
    .option('-c, --clients <n>', 'subscribers, each with its own connection', count, 1)
    .option(
      '-n, --msgs <n>',
      `messages to publish (default: ${DEFAULT_MESSAGES}; with --duration unlimited)`,
      count,
    )
    .option('--size <bytes>', 'size of the payload', count, 128)
    .option('--rate <n>', 'maximum messages a second (default: unlimited)', above0)
    .option('--duration <time>', 'how long to publish', duration)
    .option('--no-progress', 'hide the progress bar (shown only on a terminal)')
    .option('--json', 'one JSON object')
    .option('--csv', 'CSV: a header line and a line of values')
    .addHelpText('after', HELP)
    .action(bind(bench));
};

const HELP = `
Publisher and subscribers run in this process and use only the channel TICKBUS_BENCH.
Latency is measured from publish() to the handler. Without --rate, it is mostly queueing time.
${examples(
  ['tickbus bench', 'unlimited rate'],
  ['tickbus bench --rate 1000 --duration 1s --clients 3', 'latency at a steady load'],
  ['tickbus bench --msgs 20000 --csv --no-progress', 'for a spreadsheet'],
)}`;

async function bench(context: Context, flags: Flags): Promise<number> {
  const { terminal } = context;
  if (flags.json && flags.csv) throw new UsageError('Use --json or --csv, not both.');
  if (flags.size > MAX_SIZE)
    throw new UsageError(`--size ${flags.size} is too large. Use at most ${MAX_SIZE} bytes.`);
  const options: BenchOptions = {
    clients: flags.clients,
    messages: flags.msgs ?? (flags.duration === undefined ? DEFAULT_MESSAGES : Number.POSITIVE_INFINITY),
    size: flags.size,
    rate: flags.rate,
    durationMs: flags.duration,
  };
  const run = new BenchRun(context, options);
  const bar = flags.progress && terminal.showsProgress ? showProgress(context, run) : undefined;
  const result = await run.run().finally(() => bar?.end());
  if (flags.json) terminal.line(JSON.stringify(result));
  else if (flags.csv) for (const line of csv(result)) terminal.line(line);
  else for (const line of report(result)) terminal.line(line);
  if (result.lost > 0) terminal.warn(`${result.lost} messages were lost.`);
  return result.lost > 0 ? EXIT.failure : EXIT.ok;
}

function showProgress({ terminal }: Context, run: BenchRun): { end(): void } {
  const draw = () => {
    const width = Math.max(0, Math.min(BAR_WIDTH, terminal.progressColumns - COUNTER_WIDTH));
    const full = Math.round(width * run.progress);
    const bar = `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
    terminal.ephemeral(`\r${bar} ${Math.floor(run.progress * 100)}%  ${run.received} received\x1b[K`);
  };
  draw();
  const timer = setInterval(draw, 100);
  return {
    end() {
      clearInterval(timer);
      terminal.ephemeral('\r\x1b[K');
    },
  };
}

function report(result: BenchResult): string[] {
  const { messages, clients, size, seconds, published_per_second, received_per_second, lost } = result;
  const rate = (value: number) => `${Math.round(value).toLocaleString('en-US')} msg/s`;
  const receivers = clients === 1 ? '1 subscriber' : `${clients} subscribers together`;
  const { p50_ms, p95_ms, p99_ms, max_ms } = result;
  return [
    `published  ${rate(published_per_second)}   ${messages} messages of ${size} bytes in ${seconds.toFixed(2)} s`,
    `received   ${rate(received_per_second)}   by ${receivers}, ${lost} lost`,
    `latency    p50 ${p50_ms} ms   p95 ${p95_ms} ms   p99 ${p99_ms} ms   max ${max_ms} ms`,
  ];
}

function csv(result: BenchResult): string[] {
  return [Object.keys(result).join(','), Object.values(result).join(',')];
}
