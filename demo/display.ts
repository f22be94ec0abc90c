// Display of the demo: a live view on a terminal, otherwise one line per second.

import { styleText } from 'node:util';
import type { FeedStatus } from 'tickbus';
import type { BotFigures, DemoStatistics } from './demo-statistics.ts';
import type { DemoSystem } from './demo-system.ts';
import type { CommandMessage } from './traffic-observer.ts';

export interface DisplayOptions {
  readonly system: DemoSystem;
  readonly statistics: DemoStatistics;
  /** Description of the transport. */
  readonly description: string;
  /** Description of the price source. */
  readonly prices: string;
  /** Address of the monitor, or why it did not start. */
  readonly monitor: string;
}

const REDRAW_INTERVAL_MS = 250;
const LINE_INTERVAL_MS = 1_000;

export interface Display {
  /** @param event a sentence without a full stop */
  addEvent(event: string): void;
  stop(): void;
}

/** Updates the display until `stop`, which leaves the final state on the screen. */
export function startDisplay(options: DisplayOptions, output: NodeJS.WriteStream): Display {
  return output.isTTY ? drawOnTerminal(options, output) : printLines(options, output);
}

function drawOnTerminal(options: DisplayOptions, output: NodeJS.WriteStream): Display {
  const rate = new RateMeter();
  const events: string[] = [];
  let height = 0;
  const draw = () => {
    const lines = terminalLines(
      options,
      rate.update(options.system.observer.published),
      output.columns || 80,
    );
    lines.splice(-1, 0, ...events.map((event) => `${label('')}${event}`), ...(events.length > 0 ? [''] : []));
    // Overwrites the previous view line by line and clears the rest, which avoids flicker.
    output.write(
      `${height > 0 ? `\x1b[${height}A` : ''}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`,
    );
    height = lines.length;
  };
  draw();
  const timer = setInterval(draw, REDRAW_INTERVAL_MS);
  return {
    addEvent(event) {
      events.push(event);
    },
    stop() {
      clearInterval(timer);
      draw();
    },
  };
}

function printLines(options: DisplayOptions, output: NodeJS.WriteStream): Display {
  const { statistics } = options;
  const rate = new RateMeter();
  output.write(`tickbus demo on ${options.description}; ${options.prices}\nmonitor: ${options.monitor}\n`);
  const line = () => output.write(`${statusLine(options, rate.update(options.system.observer.published))}\n`);
  const timer = setInterval(line, LINE_INTERVAL_MS);
  return {
    addEvent(event) {
      output.write(`${statistics.seconds.toFixed(1)} s: ${event}\n`);
    },
    stop() {
      clearInterval(timer);
      line();
    },
  };
}

function terminalLines(
  { system, statistics, description, prices, monitor }: DisplayOptions,
  perSecond: number,
  columns: number,
): string[] {
  const { accepted, refused } = system.broker.stats;
  const { feed, published } = system.observer;
  const rejection = system.rejection ?? 'not tried yet';
  const refusedText = `${refused} refused${refused > 0 ? ' (it allows one)' : ''}`;
  const commands = [...statistics.commands].map(([type, count]) => `${count} ${type}`).join(', ');
  const [p50, p99] = [50, 99].map((percentile) => statistics.latency(percentile).toFixed(2));
  const headings = ['bot'.padEnd(14), 'last price'.padEnd(26), 'age'.padStart(10)];
  return [
    `${bold('tickbus demo')}  ${dim(`on ${description}`)}`,
    `${label('monitor')}${green(monitor)}`,
    '',
    `${label('broker')}${plural(accepted, 'connection')} accepted, ${refusedText}${dim(`   ${prices}`)}`,
    `${label('second client')}${truncate(dim(rejection), columns - LABEL_WIDTH)}`,
    `${label('gateway')}${describeFeed(feed)}, ${number(perSecond)} messages/s, ${number(published)} published`,
    '',
    dim([...headings, 'delivered'.padStart(12), 'lost'.padStart(8)].join('')),
    ...statistics.bots(system).map(botRow),
    '',
    `${label('commands')}${commands || 'none yet'}`,
    `${label('last command')}${truncate(dim(describeCommand(statistics.lastCommand)), columns - LABEL_WIDTH)}`,
    `${label('latency')}p50 ${p50} ms, p99 ${p99} ms ${dim('from publish to the bot')}`,
    '',
    dim('Press Ctrl-C to stop.'),
  ];
}

function botRow({ name, last, ageMs, delivered, lost }: BotFigures): string {
  const price =
    last === undefined ? 'none yet' : `${last.data.symbol} ${last.data.price} ${last.data.source ?? ''}`;
  const age = ageMs === undefined ? '' : `${number(ageMs)} ms`;
  const losses = String(lost).padStart(8);
  const cells = [name.padEnd(14), price.padEnd(26), age.padStart(10), number(delivered).padStart(12)];
  return [...cells, lost > 0 ? red(losses) : losses].join('');
}

function statusLine({ system, statistics }: DisplayOptions, perSecond: number): string {
  const { accepted, refused } = system.broker.stats;
  const bots = statistics.bots(system).map(({ name, last, ageMs, delivered }) => {
    const price =
      last === undefined
        ? 'no price yet'
        : `${last.data.symbol} ${last.data.price}, ${Math.round(ageMs ?? 0)} ms old`;
    return `${name} ${delivered} (${price})`;
  });
  const commands = [...statistics.commands.values()].reduce((sum, count) => sum + count, 0);
  return [
    `${statistics.seconds.toFixed(0)} s: broker ${accepted} accepted ${refused} refused (it allows one)`,
    `${Math.round(perSecond)} messages/s`,
    ...bots,
    plural(commands, 'command'),
  ].join(' | ');
}

function describeFeed(feed: FeedStatus | undefined): string {
  if (feed === undefined) return 'not started yet';
  return feed.state === 'live' ? green(feed.state) : red(feed.state);
}

function describeCommand(message: CommandMessage | undefined): string {
  if (message === undefined) return 'none yet';
  const { bot, ...rest } = message.data;
  const details = Object.entries(rest).map(([field, value]) => `${field} ${value}`);
  return `${message.sender} to ${bot}: ${message.message_type} ${details.join(', ')}`;
}

/** Measures messages per second between calls. */
class RateMeter {
  #count = 0;
  #at = performance.now();
  #perSecond = 0;

  update(count: number): number {
    const now = performance.now();
    if (now - this.#at >= LINE_INTERVAL_MS / 2) {
      this.#perSecond = ((count - this.#count) * 1000) / (now - this.#at);
      this.#count = count;
      this.#at = now;
    }
    return this.#perSecond;
  }
}

const LABEL_WIDTH = 14;

function label(text: string): string {
  return bold(text.padEnd(LABEL_WIDTH));
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function truncate(text: string, width: number): string {
  return text.length > width + 8 ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
}

/** Colours only on a terminal, and not with NO_COLOR (https://no-color.org). */
function styled(style: 'bold' | 'dim' | 'red' | 'green', text: string): string {
  return process.stdout.isTTY && process.stdout.hasColors?.() ? styleText(style, text) : text;
}

const bold = (text: string) => styled('bold', text);
const dim = (text: string) => styled('dim', text);
const red = (text: string) => styled('red', text);
const green = (text: string) => styled('green', text);
