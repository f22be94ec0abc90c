// Measures throughput and latency for `tickbus bench`.

import { createHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Channel, defineChannel, RedisConnection } from 'tickbus';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { ANYTHING } from './channel-lookup.ts';
import type { Context } from './context.ts';
import { unlessAborted } from './waiting.ts';

export interface BenchOptions {
  readonly clients: number;
  /** Number of messages to publish; Infinity if only `durationMs` limits the run. */
  readonly messages: number;
  readonly size: number;
  /** Messages a second; undefined: unlimited. */
  readonly rate: number | undefined;
  readonly durationMs: number | undefined;
}

/** Without nested objects, because a result is also printed as a line of CSV. */
export interface BenchResult {
  readonly clients: number;
  readonly messages: number;
  readonly size: number;
  readonly seconds: number;
  readonly published_per_second: number;
  /** Sum over all subscribers. */
  readonly received_per_second: number;
  readonly lost: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

/** Maximum publishes in flight: enough for full batches, few enough to stay below every limit. */
const WINDOW = 1_024;
/** If no message arrives for this time, the missing messages count as lost. */
const GIVE_UP_MS = 3_000;
const TICK_MS = 5;

/**
 * Kind `event`: every message has a sequence number, and no message is conflated or stored. The schema accepts
 * everything, so only transport is measured.
 */
const CHANNEL: Channel = defineChannel('TICKBUS_BENCH', {
  kind: 'event',
  messages: { bench: ANYTHING },
});

interface BenchPayload {
  /** Distinguishes this run from a concurrent one. */
  readonly run: number;
  /** Send time in milliseconds, by this process's monotonic clock. */
  readonly sent: number;
  readonly filling: string;
}

export class BenchRun {
  readonly #context: Context;
  readonly #options: BenchOptions;
  readonly #latency = createHistogram();
  readonly #run = Math.floor(Math.random() * 1e9);
  #published = 0;
  #inFlight = 0;
  #onSettled: () => void = () => {};
  #received = 0;
  #startedAt = 0;
  #publishedAt = 0;
  #lastReceivedAt = 0;
  #failure: Error | undefined;

  constructor(context: Context, options: BenchOptions) {
    this.#context = context;
    this.#options = options;
  }

  get received(): number {
    return this.#received;
  }

  /** From 0 to 1. */
  get progress(): number {
    const { clients, messages, durationMs } = this.#options;
    const byTime = durationMs === undefined ? 0 : (performance.now() - this.#startedAt) / durationMs;
    const byCount = Number.isFinite(messages) ? this.#received / (messages * clients) : 0;
    return this.#startedAt === 0 ? 0 : Math.min(1, Math.max(byTime, byCount));
  }

  async run(): Promise<BenchResult> {
    const { signal } = this.#context;
    const subscribers = Array.from({ length: this.#options.clients }, () => this.#subscriber());
    await unlessAborted(Promise.all(subscribers.map((subscriber) => subscriber.startListening())), signal);
    const publisher = this.#context.closing(new RedisPublisher(this.#context.redis));
    await publisher.connect();
    this.#startedAt = performance.now();
    await unlessAborted(this.#publish(publisher), signal);
    await this.#allReceived();
    return this.#result();
  }

  #subscriber(): RedisSubscriber {
    const connection = this.#context.closing(new RedisConnection(this.#context.redis));
    const subscriber = this.#context.closing(
      new RedisSubscriber({ connection, logger: this.#context.logger }),
    );
    subscriber.subscribe(
      CHANNEL,
      ({ data }) => {
        const { run, sent } = data as BenchPayload;
        if (run !== this.#run) return;
        this.#received++;
        this.#lastReceivedAt = performance.now();
        // The histogram accepts whole microseconds, 1 or above.
        this.#latency.record(Math.max(1, Math.round((this.#lastReceivedAt - sent) * 1_000)));
      },
      { queueLimit: Number.MAX_SAFE_INTEGER },
    );
    return subscriber;
  }

  async #publish(publisher: RedisPublisher): Promise<void> {
    const { messages, durationMs = Number.POSITIVE_INFINITY, rate } = this.#options;
    const padding = this.#createPadding();
    while (this.#published < messages && this.#failure === undefined) {
      const elapsed = performance.now() - this.#startedAt;
      if (elapsed >= durationMs) break;
      const due =
        rate === undefined ? messages : Math.min(messages, Math.floor((elapsed / 1_000) * rate) + 1);
      while (this.#published < due && this.#inFlight < WINDOW) this.#send(publisher, padding);
      if (this.#inFlight < WINDOW) await sleep(TICK_MS);
      else await this.#settled();
      this.#context.signal.throwIfAborted();
    }
    while (this.#inFlight > 0) await this.#settled();
    this.#publishedAt = performance.now();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #send(publisher: RedisPublisher, padding: string): void {
    this.#published++;
    this.#inFlight++;
    const payload: BenchPayload = { run: this.#run, sent: performance.now(), filling: padding };
    publisher
      .publish(CHANNEL, payload)
      .catch((error: Error) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#inFlight--;
        this.#onSettled();
      });
  }

  /** Resolves when the next publish in flight settles. */
  #settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = resolve;
    });
  }

  #createPadding(): string {
    const empty = JSON.stringify({ run: this.#run, sent: performance.now(), filling: '' }).length;
    return 'x'.repeat(Math.max(0, this.#options.size - empty));
  }

  /** Waits until every message has arrived, or until no message has arrived for GIVE_UP_MS. */
  async #allReceived(): Promise<void> {
    const expected = this.#published * this.#options.clients;
    while (this.#received < expected) {
      if (performance.now() - Math.max(this.#publishedAt, this.#lastReceivedAt) > GIVE_UP_MS) return;
      await sleep(TICK_MS);
      this.#context.signal.throwIfAborted();
    }
  }

  #result(): BenchResult {
    const { clients, size } = this.#options;
    const publishing = (this.#publishedAt - this.#startedAt) / 1_000;
    // From the start of publishing: messages arrive during that phase too.
    const receiving = (Math.max(this.#publishedAt, this.#lastReceivedAt) - this.#startedAt) / 1_000;
    const ms = (microseconds: number) => Math.round(microseconds) / 1_000;
    return {
      clients,
      messages: this.#published,
      size,
      seconds: Math.round(publishing * 1_000) / 1_000,
      published_per_second: Math.round(this.#published / publishing),
      received_per_second: this.#received === 0 ? 0 : Math.round(this.#received / receiving),
      lost: this.#published * clients - this.#received,
      p50_ms: ms(this.#latency.percentile(50)),
      p95_ms: ms(this.#latency.percentile(95)),
      p99_ms: ms(this.#latency.percentile(99)),
      max_ms: this.#received === 0 ? 0 : ms(this.#latency.max),
    };
  }
}
