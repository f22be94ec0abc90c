// For the lease tests: candidates on one in-memory server, with links and processes that can fail.

import { eventLoopTurns, RecordingLogger } from '@tickbus/test-kit';
import { TickbusError } from '../../errors.ts';
import { LeaseBase } from '../../lease/lease-base.ts';
import type { LeaseEvents } from '../../lease/lease-events.ts';
import type { LeaseTimes } from '../../lease/lease-times.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Unsubscribe } from '../../runtime/emitter.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { MemoryServer } from '../../transport/memory/memory-server.ts';
import type { LeaseOperations } from '../../transport/port.ts';
import { PRICES } from '../channels.fixture.ts';
import { FakeTransport } from '../fake-transport.fixture.ts';

/** The clock of one process. While the process is paused, no timer runs; due timers run when it resumes. */
class ProcessClock implements Clock {
  readonly #clock: ManualClock;
  #isPaused = false;
  #due: (() => void)[] = [];

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  after(ms: number, callback: () => void): Unsubscribe {
    let isCancelled = false;
    const cancel = this.#clock.after(ms, () => this.run(() => isCancelled || callback()));
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  nextTurn(callback: () => void): void {
    this.#clock.nextTurn(callback);
  }

  /** Runs the action now, or when the paused process resumes. */
  run(action: () => void): void {
    if (this.#isPaused) this.#due.push(action);
    else action();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const action of this.#due.splice(0)) action();
  }
}

/** A link with configurable delays and failures. */
class LeaseLink extends FakeTransport {
  /** Milliseconds that a request takes to the server, and that a reply takes back. */
  requestDelayMs = 0;
  replyDelayMs = 0;
  isDown = false;
  connects = 0;
  #wasUp = false;
  readonly #server: MemoryServer;
  readonly #process: ProcessClock;
  readonly #clock: ManualClock;

  constructor(server: MemoryServer, process: ProcessClock, clock: ManualClock) {
    super();
    this.#server = server;
    this.#process = process;
    this.#clock = clock;
  }

  override async connect(): Promise<void> {
    this.connects++;
    if (!this.isDown) this.#wasUp = true;
    else if (this.#wasUp) throw notConnected();
    else throw new TickbusError('TICKBUS_CONNECT_FAILED', 'There is no server.');
  }

  override lease(): LeaseOperations {
    return {
      connect: () => this.connect(),
      onConnected: (listener) =>
        this.onStatus(({ type }) => {
          if (type === 'connected') listener();
        }),
      close: async () => {},
      acquire: (ttlMs) => this.#call(() => this.#server.acquire(PRICES.name, ttlMs)),
      renew: (token, ttlMs) => this.#call(() => this.#server.renew(PRICES.name, token, ttlMs)),
      release: (token) => this.#call(() => this.#server.release(PRICES.name, token)),
    };
  }

  async #call<T>(operation: () => T): Promise<T> {
    if (this.isDown) throw notConnected();
    await this.#delay(this.requestDelayMs);
    const result = operation();
    await this.#delay(this.replyDelayMs);
    // A reply reaches a paused process when it resumes.
    await new Promise<void>((resolve) => this.#process.run(resolve));
    return result;
  }

  #delay(ms: number): Promise<void> {
    return ms === 0 ? Promise.resolve() : new Promise((resolve) => this.#clock.after(ms, resolve));
  }
}

export class Candidate {
  readonly process: ProcessClock;
  readonly link: LeaseLink;
  readonly lease: LeaseBase;
  readonly events: { [K in keyof LeaseEvents]: [K, LeaseEvents[K]] }[keyof LeaseEvents][] = [];
  readonly logger = new RecordingLogger();

  constructor(harness: LeaseHarness, times: LeaseTimes) {
    this.process = new ProcessClock(harness.clock);
    this.link = new LeaseLink(harness.server, this.process, harness.clock);
    this.lease = new LeaseBase({
      name: PRICES.name,
      spec: PRICES,
      isChannel: true,
      transport: this.link,
      clock: this.process,
      logger: this.logger,
      ...times,
    });
    for (const event of ['gained', 'lost', 'state'] as const)
      this.lease.on(event, (value) => this.events.push([event, value] as (typeof this.events)[number]));
  }

  /** The states reported so far. */
  get states(): string[] {
    return this.events.flatMap(([event, value]) => (event === 'state' ? [value.state] : []));
  }

  /** The tokens of the leases gained, oldest first. */
  get tokens(): number[] {
    return this.events.flatMap(([event, value]) => (event === 'gained' ? [value.token] : []));
  }

  get losses(): string[] {
    return this.events.flatMap(([event, value]) => (event === 'lost' ? [value.reason] : []));
  }
}

export class LeaseHarness {
  readonly clock = new ManualClock();
  readonly server = new MemoryServer(this.clock);

  /** Default times: TTL 3,000 ms, margin 300 ms, an attempt every 250 ms. */
  candidate(times: LeaseTimes = {}): Candidate {
    return new Candidate(this, times);
  }

  /** A candidate that holds the lease, after the hold-off. */
  async holder(times: LeaseTimes = {}): Promise<Candidate> {
    const candidate = this.candidate(times);
    await candidate.lease.start();
    await this.advance(3_001);
    return candidate;
  }

  /** Advances the clock and lets every consequence happen. */
  async advance(ms: number): Promise<void> {
    await eventLoopTurns(3);
    await this.clock.advance(ms);
    await eventLoopTurns(3);
  }

  /** Whether the server accepts a publish under this token. */
  accepts(token: number | undefined): boolean {
    try {
      this.server.publish(PRICES, [{ json: '{"a":1}', key: 'a' }], token);
      return true;
    } catch (error) {
      if (error instanceof TickbusError && error.code === 'TICKBUS_FENCED') return false;
      throw error;
    }
  }
}

function notConnected(): TickbusError {
  return new TickbusError('TICKBUS_NOT_CONNECTED', 'The link is down.');
}
