// Figures of the demo: last price and its age by bot, commands, latency.

import { createHistogram } from 'node:perf_hooks';
import { CHANNELS } from 'tickbus/constants';
import type { DemoSystem } from './demo-system.ts';
import { preciseNow } from './precise-clock.ts';
import type { CommandMessage, PriceMessage } from './traffic-observer.ts';

export interface BotFigures {
  readonly name: string;
  readonly delivered: number;
  readonly conflated: number;
  readonly lost: number;
  readonly last: PriceMessage | undefined;
  /** Milliseconds since the last price arrived. */
  readonly ageMs: number | undefined;
}

/** The final JSON line of `--json`. */
export interface DemoSummary {
  readonly transport: string;
  readonly seconds: number;
  readonly broker_connections: number;
  readonly broker_refused: number;
  readonly published: number;
  /** Prices delivered, by bot. */
  readonly delivered: Readonly<Record<string, number>>;
  /** Prices conflated because the bot was behind, by bot. */
  readonly conflated: Readonly<Record<string, number>>;
  readonly lost: number;
  readonly commands: number;
  /** Milliseconds from `publish` to the handler of the bot. */
  readonly p50_ms: number;
  readonly p99_ms: number;
}

export class DemoStatistics {
  readonly #startedAt = performance.now();
  readonly #latency = createHistogram();
  readonly #last = new Map<string, { message: PriceMessage; at: number }>();
  readonly #commands = new Map<string, number>();
  #lastCommand: CommandMessage | undefined;

  onPrice(bot: string, message: PriceMessage): void {
    this.#last.set(bot, { message, at: performance.now() });
    // A snapshot is older than the subscription, so its age is not a latency.
    if (message.snapshot !== true)
      this.#latency.record(Math.max(1, Math.round((preciseNow() - message.timestamp) * 1000)));
  }

  onCommand(message: CommandMessage): void {
    this.#commands.set(message.message_type, (this.#commands.get(message.message_type) ?? 0) + 1);
    this.#lastCommand = message;
  }

  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  get commands(): ReadonlyMap<string, number> {
    return this.#commands;
  }

  get lastCommand(): CommandMessage | undefined {
    return this.#lastCommand;
  }

  /** Milliseconds; 0 without samples. */
  latency(percentile: number): number {
    return this.#latency.count === 0 ? 0 : this.#latency.percentile(percentile) / 1000;
  }

  bots({ bots }: DemoSystem): BotFigures[] {
    return bots.map(({ name, subscriber }) => {
      const last = this.#last.get(name);
      const prices = subscriber.status(CHANNELS.PRICE_DATA);
      const channels = Object.values(CHANNELS).map((channel) => subscriber.status(channel)?.lost ?? 0);
      return {
        name,
        delivered: prices?.delivered ?? 0,
        conflated: prices?.conflated ?? 0,
        lost: channels.reduce((sum, lost) => sum + lost, 0),
        last: last?.message,
        ageMs: last && performance.now() - last.at,
      };
    });
  }

  summary(system: DemoSystem, transport: string): DemoSummary {
    const bots = this.bots(system);
    return {
      transport,
      seconds: round(this.seconds),
      broker_connections: system.broker.stats.accepted,
      broker_refused: system.broker.stats.refused,
      published: system.observer.published,
      delivered: Object.fromEntries(bots.map(({ name, delivered }) => [name, delivered])),
      conflated: Object.fromEntries(bots.map(({ name, conflated }) => [name, conflated])),
      lost: bots.reduce((sum, { lost }) => sum + lost, 0),
      commands: [...this.#commands.values()].reduce((sum, count) => sum + count, 0),
      p50_ms: round(this.latency(50)),
      p99_ms: round(this.latency(99)),
    };
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
