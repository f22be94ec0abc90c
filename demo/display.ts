// What the demo shows on a terminal, or as one line a second where there is none.

import { styleText } from 'node:util';
import type { FeedStatus } from 'tickbus';
import type { DemoSystem } from './demo-system.ts';
import type { CommandMessage } from './messages.ts';
import type { BotFigures, DemoStatistics } from './statistics.ts';

export interface DisplayOptions {
  readonly cast: DemoSystem;
  readonly tally: DemoStatistics;
  /** What the demo runs on. */
  readonly description: string;
  /** What the prices are. */
  readonly prices: string;
  /** Where the monitor is. */
  readonly monitor: string;
}

const REDRAW_INTERVAL_MS = 250;
const LINE_INTERVAL_MS = 1_000;

export interface Display {
  /** Something has happened, in a sentence without its full stop. */
  addEvent(event: string): void;
  stop(): void;
}

/** Shows the scene until it is stopped; the last state stays on the screen. */
export function startDisplay(scene: DisplayOptions, output: NodeJS.WriteStream): Display {
  return output.isTTY ? drawOnTerminal(scene, output) : printLines(scene, output);
}

function drawOnTerminal(scene: DisplayOptions, output: NodeJS.WriteStream): Display {
  const rate = new RateMeter();
  const events: string[] = [];
  let height = 0;
  const draw = () => {
    const lines = terminalLines(scene, rate.update(scene.cast.observer.published), output.columns || 80);
    lines.splice(-1, 0, ...events.map((event) => `${label('')}${event}`), ...(events.length > 0 ? [''] : []));
    // Over the last picture, each line to its end, and nothing left below: no flicker.
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

function printLines(scene: DisplayOptions, output: NodeJS.WriteStream): Display {
  const { tally } = scene;
  const rate = new RateMeter();
  output.write(`tickbus demo on ${scene.description}; ${scene.prices}\nlook at it: ${scene.monitor}\n`);
  const line = () => output.write(`${statusLine(scene, rate.update(scene.cast.observer.published))}\n`);
  const timer = setInterval(line, LINE_INTERVAL_MS);
  return {
    addEvent(event) {
      output.write(`${tally.seconds.toFixed(1)} s: ${event}\n`);
    },
    stop() {
      clearInterval(timer);
      line();
    },
  };
}

function terminalLines(
  { cast, tally, description, prices, monitor }: DisplayOptions,
  perSecond: number,
  columns: number,
): string[] {
  const { accepted, refused } = cast.broker.stats;
  const { feed, published } = cast.observer;
  const second = cast.refusal ?? 'not tried yet';
  const commands = [...tally.commands].map(([type, count]) => `${count} ${type}`).join(', ');
  return [
    `${bold('tickbus demo')}  ${dim(`on ${description}`)}`,
    `${label('look at it')}${green(monitor)}`,
    '',
    `${label('broker')}${plural(accepted, 'connection')} accepted, ${refused > 0 ? red(`${refused} refused`) : '0 refused'}${dim(`   ${prices}`)}`,
    `${label('second one')}${truncate(dim(second), columns - 14)}`,
    `${label('gateway')}${describeFeed(feed)}, ${number(perSecond)} messages/s, ${number(published)} published`,
    '',
    dim(
      `${'bot'.padEnd(14)}${'last price'.padEnd(26)}${'age'.padStart(10)}${'delivered'.padStart(12)}${'lost'.padStart(8)}`,
    ),
    ...tally.bots(cast).map(botRow),
    '',
    `${label('commands')}${commands || 'none yet'}`,
    `${label('last one')}${truncate(dim(describeCommand(tally.lastCommand)), columns - 14)}`,
    `${label('latency')}p50 ${tally.latency(50).toFixed(2)} ms, p99 ${tally.latency(99).toFixed(2)} ms ${dim('from publish to the bot')}`,
    '',
    dim('Ctrl-C ends it.'),
  ];
}

function botRow({ name, last, ageMs, delivered, lost }: BotFigures): string {
  const price =
    last === undefined ? 'none yet' : `${last.data.symbol} ${last.data.price} ${last.data.source ?? ''}`;
  const age = ageMs === undefined ? '' : `${number(ageMs)} ms`;
  const losses = String(lost).padStart(8);
  return `${name.padEnd(14)}${price.padEnd(26)}${age.padStart(10)}${number(delivered).padStart(12)}${lost > 0 ? red(losses) : losses}`;
}

function statusLine({ cast, tally }: DisplayOptions, perSecond: number): string {
  const { accepted, refused } = cast.broker.stats;
  const bots = tally.bots(cast).map(({ name, last, ageMs, delivered }) => {
    const price =
      last === undefined
        ? 'no price yet'
        : `${last.data.symbol} ${last.data.price}, ${Math.round(ageMs ?? 0)} ms old`;
    return `${name} ${delivered} (${price})`;
  });
  const commands = [...tally.commands.values()].reduce((sum, count) => sum + count, 0);
  return `${tally.seconds.toFixed(0)} s: broker ${accepted} accepted ${refused} refused | ${Math.round(perSecond)} messages/s | ${bots.join(' | ')} | ${plural(commands, 'command')}`;
}

function describeFeed(feed: FeedStatus | undefined): string {
  if (feed === undefined) return 'not there yet';
  return feed.state === 'live' ? green(feed.state) : red(feed.state);
}

function describeCommand(message: CommandMessage | undefined): string {
  if (message === undefined) return 'none yet';
  const { bot, ...rest } = message.data;
  const details = Object.entries(rest).map(([field, value]) => `${field} ${value}`);
  return `${message.sender} to ${bot}: ${message.message_type} ${details.join(', ')}`;
}

/** Messages a second since the last call. */
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

function label(text: string): string {
  return bold(text.padEnd(14));
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

/** Colours only where they are wanted: not with NO_COLOR (https://no-color.org), not in a file. */
function styled(style: 'bold' | 'dim' | 'red' | 'green', text: string): string {
  return process.stdout.isTTY && process.stdout.hasColors?.() ? styleText(style, text) : text;
}

const bold = (text: string) => styled('bold', text);
const dim = (text: string) => styled('dim', text);
const red = (text: string) => styled('red', text);
const green = (text: string) => styled('green', text);
