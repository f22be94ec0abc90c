// A stream of ticks: one server, one publisher process, subscriber processes. What most workloads are made of.

import { createHistogram } from 'node:perf_hooks';
import { freePort } from '@tickbus/local-redis';
import { BenchWorker } from '../bench-worker.ts';
import { participant as participantOf } from '../participants.ts';
import type { Address } from '../peers/peer.ts';
import { cpuUsOf } from '../roles/cpu.ts';
import type { PublishReport } from '../roles/publisher-role.ts';
import type { ReceiveReport } from '../roles/subscriber-role.ts';
import { type PeerServer, startServer } from '../servers.ts';
import type { OpenWorkload, RunSample, WorkloadContext } from './workload.ts';

export interface StreamShape {
  readonly participant: string;
  /** Subscriber processes, and the connections of each. Default 1 and 1. */
  readonly processes?: number;
  readonly connections?: number;
  readonly instruments?: number;
  /** Bytes of a message; undefined: ticks. */
  readonly bytes?: number;
  /** Whether the age of each message is taken. */
  readonly latency?: boolean;
  /** Whether a subscriber process stands beside that is stopped in its tracks, at a server with its usual limits. */
  readonly besideStopped?: boolean;
}

/** How the publisher is driven in one run. */
export type PublishLoad = (publisher: BenchWorker, seconds: number) => Promise<PublishReport>;

const DEFAULT_INSTRUMENTS = 1_000;

export async function openStream(
  shape: StreamShape,
  context: WorkloadContext,
  feed: PublishLoad,
): Promise<OpenWorkload> {
  const crew = new StreamProcesses(shape);
  try {
    await crew.open(context);
  } catch (error) {
    await crew[Symbol.asyncDispose]();
    throw error;
  }
  return {
    run: (seconds) => crew.run(feed, seconds),
    [Symbol.asyncDispose]: () => crew[Symbol.asyncDispose](),
  };
}

/** The server and the processes of one participant. */
class StreamProcesses implements AsyncDisposable {
  readonly #shape: StreamShape;
  readonly #opened: AsyncDisposable[] = [];
  readonly #subscribers: BenchWorker[] = [];
  /** What stands between publisher and subscribers, whose CPU counts as the server's. */
  #serverPids: number[] = [];
  #publisher: BenchWorker | undefined;

  constructor(shape: StreamShape) {
    this.#shape = shape;
  }

  async open({ seed }: WorkloadContext): Promise<void> {
    const { participant: peer, processes = 1, besideStopped = false, bytes } = this.#shape;
    const { server: name, hasRelay } = participantOf(peer);
    const server = this.#own(await startServer(name, { cutsSlowSubscribers: besideStopped }));
    this.#serverPids = [server.pid];
    const hub = hasRelay ? await this.#relay(server) : server.address;
    const workers = Array.from({ length: processes }, () => this.#own(new BenchWorker(`${peer} subscriber`)));
    this.#subscribers.push(...workers);
    await Promise.all(workers.map((worker) => this.#subscribe(worker, hub)));
    if (besideStopped) await this.#addStopped(hub);
    const publisher = this.#own(new BenchWorker(`${peer} publisher`));
    const instruments = this.#shape.instruments ?? DEFAULT_INSTRUMENTS;
    await publisher.call('openPublisher', { peer, server: server.address, seed, instruments, bytes });
    this.#publisher = publisher;
  }

  async run(feed: PublishLoad, seconds: number): Promise<RunSample> {
    const { connections = 1 } = this.#shape;
    if (this.#publisher === undefined) throw new Error('The stream was not opened.');
    await Promise.all(this.#subscribers.map((subscriber) => subscriber.call('begin', undefined)));
    const serverBefore = this.#serverCpuUs();
    const sent = await feed(this.#publisher, seconds);
    const expected = sent.published * connections;
    const heard = await Promise.all(
      this.#subscribers.map((subscriber) => subscriber.call('finish', { expected })),
    );
    const serverUs = this.#serverCpuUs() - serverBefore;
    return { ...flow(sent, heard, connections), ...cost(sent, heard, serverUs), ...ages(heard) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#opened.splice(0).reverse()) await resource[Symbol.asyncDispose]();
  }

  async #relay(server: PeerServer): Promise<Address> {
    const { participant: peer } = this.#shape;
    const relay = this.#own(new BenchWorker(`${peer} relay`));
    const relayPort = await freePort();
    await relay.call('openRelay', { peer, server: server.address, relayPort });
    this.#serverPids.push(relay.pid);
    return { host: server.address.host, port: relayPort };
  }

  #subscribe(worker: BenchWorker, server: Address): Promise<void> {
    const { participant: peer, connections = 1, bytes, latency = false } = this.#shape;
    const channel = bytes === undefined ? 'price' : 'book';
    return worker.call('openSubscriber', { peer, server, connections, channel, latency });
  }

  async #addStopped(server: Address): Promise<void> {
    const stopped = this.#own(new BenchWorker('stopped subscriber'));
    await this.#subscribe(stopped, server);
    stopped.stop();
  }

  #serverCpuUs(): number {
    return this.#serverPids.reduce((sum, pid) => sum + (cpuUsOf(pid) ?? Number.NaN), 0);
  }

  #own<R extends AsyncDisposable>(resource: R): R {
    this.#opened.push(resource);
    return resource;
  }
}

/** From the first message handed over to the last one handled. */
function flow(sent: PublishReport, heard: readonly ReceiveReport[], connections: number): RunSample {
  const received = sum(heard, (report) => report.received);
  const merged = sum(heard, (report) => report.merged);
  const seconds = (Math.max(sent.endedAt, ...heard.map(({ lastAt }) => lastAt)) - sent.startedAt) / 1_000;
  const deliveries = (received + merged) / seconds;
  return {
    seconds,
    rate: heard.length === 0 ? sent.published / seconds : deliveries / (heard.length * connections),
    deliveries,
    lost: sent.published * connections * heard.length - received - merged,
    merged,
    behind_ms: sent.behindMs,
  };
}

/** A message published costs `total_us`: its publisher, the server, and all of its receivers. */
function cost(sent: PublishReport, heard: readonly ReceiveReport[], serverUs: number): RunSample {
  const received = sum(heard, (report) => report.received + report.merged);
  const receiversUs = sum(heard, (report) => report.cpuUs);
  const totalUs = sent.cpuUs + serverUs + receiversUs;
  return {
    publisher_us: sent.cpuUs / sent.published,
    ...(received === 0 ? {} : { subscriber_us: receiversUs / received }),
    ...(Number.isNaN(serverUs)
      ? {}
      : { server_us: serverUs / sent.published, total_us: totalUs / sent.published }),
  };
}

/** Percentiles over all connections, in milliseconds. */
function ages(heard: readonly ReceiveReport[]): RunSample {
  const histogram = createHistogram();
  for (const report of heard)
    for (const age of report.ages) histogram.record(Math.max(1, Math.round(age * 1_000)));
  if (histogram.count === 0) return {};
  const at = (percent: number) => histogram.percentile(percent) / 1_000;
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.max / 1_000 };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
