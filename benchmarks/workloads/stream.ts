// A stream of ticks through one server, from one publisher process to subscriber processes. Most workloads use it.

import { createHistogram } from 'node:perf_hooks';
import { freePort } from '@tickbus/local-redis';
import { BenchWorker } from '../bench-worker.ts';
import { participant as participantOf } from '../participants.ts';
import type { Address } from '../peers/peer.ts';
import { cpuUsOf } from '../roles/cpu.ts';
import type { PublishReport } from '../roles/publisher-role.ts';
import type { ReceiveReport } from '../roles/subscriber-role.ts';
import { type PeerServer, startServer } from '../servers.ts';
import { symbolsOf } from '../ticks.ts';
import type { OpenWorkload, RunSample, WorkloadContext } from './workload.ts';

export interface StreamShape {
  readonly participant: string;
  /** Subscriber processes, and connections per process. Default 1 and 1. */
  readonly processes?: number;
  readonly connections?: number;
  readonly instruments?: number;
  /** The number of instruments that a subscriber receives; undefined: all. */
  readonly received?: number;
  /** Message size in bytes; undefined: ticks. */
  readonly bytes?: number;
  /** Whether to measure the latency of each message. */
  readonly latency?: boolean;
  /** Whether to add a stopped subscriber process, with the default output limits of the server. */
  readonly besideStopped?: boolean;
}

/** Drives the publisher in one run. */
export type PublishLoad = (publisher: BenchWorker, seconds: number) => Promise<PublishReport>;

const DEFAULT_INSTRUMENTS = 1_000;

export async function openStream(
  shape: StreamShape,
  context: WorkloadContext,
  load: PublishLoad,
): Promise<OpenWorkload> {
  const processes = new StreamProcesses(shape);
  try {
    await processes.open(context);
  } catch (error) {
    await processes[Symbol.asyncDispose]();
    throw error;
  }
  return {
    run: (seconds) => processes.run(load, seconds),
    [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose](),
  };
}

/** The server and the processes of one participant. */
class StreamProcesses implements AsyncDisposable {
  readonly #shape: StreamShape;
  readonly #opened: AsyncDisposable[] = [];
  readonly #subscribers: BenchWorker[] = [];
  /** Process ids of the server and the relay. Server CPU is the sum of both. */
  #serverPids: number[] = [];
  #publisher: BenchWorker | undefined;

  constructor(shape: StreamShape) {
    this.#shape = shape;
  }

  async open({ seed }: WorkloadContext): Promise<void> {
    const { participant: peer, processes = 1, besideStopped = false, bytes } = this.#shape;
    const { server: name, hasRelay } = participantOf(peer);
    const server = this.#own(await startServer(name, { cutsSlowSubscribers: besideStopped }));
    this.#serverPids = [...server.pids];
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

  async run(load: PublishLoad, seconds: number): Promise<RunSample> {
    const { connections = 1 } = this.#shape;
    if (this.#publisher === undefined) throw new Error('The stream is not open. Call openStream first.');
    await Promise.all(this.#subscribers.map((subscriber) => subscriber.call('begin', undefined)));
    const serverBefore = this.#serverCpuUs();
    const sent = await load(this.#publisher, seconds);
    const { instruments = DEFAULT_INSTRUMENTS, received = instruments } = this.#shape;
    const expected = Math.floor((sent.published * received) / instruments) * connections;
    const reports = await Promise.all(
      this.#subscribers.map((subscriber) => subscriber.call('finish', { expected })),
    );
    const serverUs = this.#serverCpuUs() - serverBefore;
    return {
      ...throughput(sent, reports, connections, expected),
      ...cpuCost(sent, reports, serverUs),
      ...latencies(reports),
    };
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
    const { participant: peer, connections = 1, bytes, latency = false, received } = this.#shape;
    const channel = bytes === undefined ? 'price' : 'book';
    const keys = received === undefined ? undefined : symbolsOf(received);
    return worker.call('openSubscriber', { peer, server, connections, channel, latency, keys });
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

/** Measured from the first publish call to the last handled message. */
function throughput(
  sent: PublishReport,
  reports: readonly ReceiveReport[],
  connections: number,
  expected: number,
): RunSample {
  const received = sum(reports, (report) => report.received);
  const merged = sum(reports, (report) => report.merged);
  const seconds = (Math.max(sent.endedAt, ...reports.map(({ lastAt }) => lastAt)) - sent.startedAt) / 1_000;
  const deliveries = (received + merged) / seconds;
  return {
    seconds,
    rate: reports.length === 0 ? sent.published / seconds : deliveries / (reports.length * connections),
    deliveries,
    lost: expected * reports.length - received - merged,
    merged,
    behind_ms: sent.behindMs,
  };
}

/** `total_us` is the CPU time per published message of publisher, server and all receivers. */
function cpuCost(sent: PublishReport, reports: readonly ReceiveReport[], serverUs: number): RunSample {
  const received = sum(reports, (report) => report.received + report.merged);
  const receiversUs = sum(reports, (report) => report.cpuUs);
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
function latencies(reports: readonly ReceiveReport[]): RunSample {
  const histogram = createHistogram();
  for (const report of reports)
    for (const age of report.ages) histogram.record(Math.max(1, Math.round(age * 1_000)));
  if (histogram.count === 0) return {};
  const at = (percent: number) => histogram.percentile(percent) / 1_000;
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.max / 1_000 };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
