// `tickbus top`: rate, subscribers and gaps of every channel. Measures by subscribing to the channels.

import { Option } from 'commander';
import type { RedisConnection } from 'tickbus';
import { type ChannelStats, printable, RedisAdmin } from 'tickbus/admin';
import { RedisSubscriber } from 'tickbus/subscriber';
import { knownChannel, knownNames, type WireChannel, wireChannel } from '../channel-lookup.ts';
import type { Context } from '../context.ts';
import { duration as timeText } from '../duration-text.ts';
import { duration } from '../option-parsers.ts';
import { fittingTable } from '../table.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { after, unlessAborted } from '../waiting.ts';
import { watching } from '../watch-view.ts';
import { framesOf } from '../wire-message.ts';
import { partitionsOf } from '../wire-partitions.ts';

interface TopOptions {
  readonly interval: number;
  readonly sort: SortKey;
  readonly once?: boolean;
  readonly json?: boolean;
}

interface TopRow {
  readonly channel: string;
  /** Messages a second in the last interval. */
  readonly rate: number;
  readonly bytes_per_second: number;
  /** Subscribed connections, without this one. */
  readonly subscribers: number;
  /** Messages since the command started. */
  readonly messages: number;
  readonly gaps: number;
  /** Messages that violate the schema; 0 on channels without one. */
  readonly invalid: number;
  /** Milliseconds since the last message; null before the first. */
  readonly age_ms: number | null;
}

const ORDERS = {
  name: (a: TopRow, b: TopRow) => (a.channel < b.channel ? -1 : 1),
  rate: (a: TopRow, b: TopRow) => b.rate - a.rate,
  subscribers: (a: TopRow, b: TopRow) => b.subscribers - a.subscribers,
  gaps: (a: TopRow, b: TopRow) => b.gaps - a.gaps,
  age: (a: TopRow, b: TopRow) =>
    (a.age_ms ?? Number.POSITIVE_INFINITY) - (b.age_ms ?? Number.POSITIVE_INFINITY),
} as const;
type SortKey = keyof typeof ORDERS;

export const define: DefineVerb = (command, bind) => {
  command
    .addOption(
      new Option('-i, --interval <time>', 'interval of each measurement')
        .argParser(duration)
        .default(1_000, '1s'),
    )
    .addOption(new Option('-s, --sort <column>').choices(Object.keys(ORDERS)).default('name'))
    .option('--once', 'print one view after one interval')
    .option('--json', 'one JSON object for each channel, a line each')
    .addHelpText(
      'after',
      `\nShows the known channels and every channel with subscribers.
Gaps are those of this command's own connection.\n${examples(
        ['tickbus top', 'until Ctrl-C'],
        ['tickbus top --sort rate --interval 2s', 'busiest first, until Ctrl-C'],
        ['tickbus top --once --json', 'for a program'],
      )}`,
    )
    .action(bind(top));
};

async function top(context: Context, options: TopOptions): Promise<void> {
  const connection = context.connection();
  const admin = context.closing(new RedisAdmin(context.redis));
  await admin.connect();
  const meters = new ChannelMeters(context, connection);
  await meters.listenTo([...knownNames(), ...(await admin.activeChannels())]);
  await meters.listenToPartitions(admin);
  // A short first interval, so that the first view appears soon.
  const pause = after(options.once ? options.interval : Math.min(options.interval, 1_000));
  await unlessAborted(pause.elapsed, context.signal).finally(pause.cancel);
  const render = async () => {
    // Throws if the server has become unreachable or now rejects the credentials.
    await connection.subscribing.connect();
    // Further channels may have subscribers by now.
    await meters.listenTo(await admin.activeChannels());
    const stats = await meters.listenToPartitions(admin);
    const subscribers = new Map(stats.map(({ channel, subscribers: count }) => [channel, count - 1]));
    const rows = meters.rows(subscribers).sort(ORDERS[options.sort]);
    return options.json ? rows.map((row) => JSON.stringify(row)) : tableOf(context, rows);
  };
  await watching(context, !options.once, render, { intervalMs: options.interval });
}

class ChannelMeters {
  readonly #connection: RedisConnection;
  readonly #subscriber: RedisSubscriber;
  readonly #meters = new Map<string, ChannelMeter>();
  /** The names of the partitions that are listened to. */
  readonly #partitions = new Set<string>();
  #measuredAt = performance.now();

  constructor(context: Context, connection: RedisConnection) {
    this.#connection = connection;
    this.#subscriber = context.closing(
      new RedisSubscriber({ connection, logger: context.logger, freshness: false }),
    );
  }

  get names(): string[] {
    return [...this.#meters.keys()];
  }

  async listenTo(names: readonly string[]): Promise<void> {
    await this.#subscriber.startListening();
    const added = names.filter((name) => !this.#meters.has(name));
    await Promise.all(added.map((name) => this.#listenToOne(name)));
  }

  async #listenToOne(name: string): Promise<void> {
    const channel = knownChannel(name);
    // The tap counts gaps and invalid messages. It comes first, so that it sees every message counted below.
    if (channel !== undefined) this.#subscriber.tap(channel, () => {});
    const meter = new ChannelMeter();
    await this.#connection.subscribing.subscribe(wireChannel(name), (frame) => meter.count(frame));
    this.#meters.set(name, meter);
  }

  /** Also counts the messages of all partitions. Returns the statistics of the channels. */
  async listenToPartitions(admin: RedisAdmin): Promise<ChannelStats[]> {
    const stats = await admin.channels(this.names);
    let isAdded = false;
    for (const { channel, partitions } of stats) {
      const added = partitionsOf(wireChannel(channel), partitions).filter(
        ({ name }) => !this.#partitions.has(name),
      );
      await Promise.all(added.map((partition) => this.#listenToPartition(channel, partition)));
      isAdded ||= added.length > 0;
    }
    if (!isAdded) return stats;
    // The connection of this command is one of the subscribers now.
    return admin.channels(this.names);
  }

  async #listenToPartition(channel: string, partition: WireChannel): Promise<void> {
    const meter = this.#meters.get(channel);
    await this.#connection.subscribing.subscribe(partition, (frame) => meter?.count(frame));
    this.#partitions.add(partition.name);
  }

  /** Rates since the last call. */
  rows(subscribers: ReadonlyMap<string, number>): TopRow[] {
    const now = performance.now();
    const seconds = (now - this.#measuredAt) / 1_000;
    this.#measuredAt = now;
    return [...this.#meters].map(([channel, meter]) => {
      const known = knownChannel(channel);
      const report = known && this.#subscriber.status(known);
      return {
        channel,
        subscribers: subscribers.get(channel) ?? 0,
        gaps: report?.gaps ?? 0,
        invalid: report?.invalid ?? 0,
        ...meter.take(seconds, now),
      };
    });
  }
}

class ChannelMeter {
  #messages = 0;
  #recent = 0;
  #recentBytes = 0;
  #lastAt: number | undefined;

  count(frame: Uint8Array): void {
    const messages = framesOf(frame).length;
    this.#messages += messages;
    this.#recent += messages;
    this.#recentBytes += frame.byteLength;
    this.#lastAt = performance.now();
  }

  take(seconds: number, now: number): Pick<TopRow, 'rate' | 'bytes_per_second' | 'messages' | 'age_ms'> {
    const [recent, bytes] = [this.#recent, this.#recentBytes];
    this.#recent = 0;
    this.#recentBytes = 0;
    return {
      rate: Math.round((recent / seconds) * 10) / 10,
      bytes_per_second: Math.round(bytes / seconds),
      messages: this.#messages,
      age_ms: this.#lastAt === undefined ? null : Math.round(now - this.#lastAt),
    };
  }
}

function tableOf({ terminal }: Context, rows: readonly TopRow[]): string[] {
  const cells = rows.map(
    ({ channel, rate, bytes_per_second, subscribers, messages, gaps, invalid, age_ms }) => [
      printable(channel, 40),
      rate.toFixed(1),
      (bytes_per_second / 1_024).toFixed(1),
      String(subscribers),
      String(messages),
      gaps > 0 ? terminal.paint('red', String(gaps)) : '0',
      invalid > 0 ? terminal.paint('red', String(invalid)) : '0',
      age_ms === null ? '-' : timeText(age_ms),
    ],
  );
  const right = ['left', ...Array.from({ length: 7 }, () => 'right' as const)] as const;
  return fittingTable(
    ['CHANNEL', 'MSG/S', 'KIB/S', 'SUBSCRIBERS', 'MESSAGES', 'GAPS', 'INVALID', 'AGE'],
    cells,
    right,
    { width: terminal.columns, spare: [['KIB/S'], ['MESSAGES'], ['SUBSCRIBERS'], ['INVALID']] },
  );
}
