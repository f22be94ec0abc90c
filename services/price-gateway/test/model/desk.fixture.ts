// A desk in memory: gateways that take over from each other, a bot that requests instruments, and bots that watch.

import type { Latest, MessageOf } from 'tickbus';
import { TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { MemoryConnection, MemoryServer } from 'tickbus/testing';
import { vi } from 'vitest';
import { createGateway, type Gateway } from '../../gateway.ts';
import { SILENT } from '../gateway.fixture.ts';
import { ScriptedVenue } from './scripted-venue.fixture.ts';

export type PriceMessage = MessageOf<typeof CHANNELS.PRICE_DATA>;
export type TradesMessage = MessageOf<typeof CHANNELS.TRADES>;

/** Nothing is too old: a value is refused for other reasons. */
const BOUNDS = { maxAgeMs: 86_400_000, maxQuietMs: 86_400_000 };
/** Between two heartbeats of the gateway, milliseconds. */
const HEARTBEAT_MS = 500;
/** Enough for a message to reach all bots. */
const TURNS = 8;

interface Candidate {
  readonly gateway: Gateway;
  readonly connection: MemoryConnection;
}

/** Refuses the next batch on a channel. */
class RefusingServer extends MemoryServer {
  refused: string | undefined;

  override publish(...args: Parameters<MemoryServer['publish']>) {
    if (args[0].name === this.refused) {
      this.refused = undefined;
      throw new TickbusError('TICKBUS_SERVER_ERROR', 'OOM command not allowed.');
    }
    return super.publish(...args);
  }
}

export class Desk {
  readonly venue = new ScriptedVenue();
  readonly #server = new RefusingServer();
  readonly #requester = this.#newBot();
  readonly #watchers = [this.#newBot()];
  /** Ends the requests for a symbol. */
  readonly #requests = new Map<string, () => void>();
  /** The one that is active first. */
  #candidates: Candidate[] = [];
  /** Called while messages are on the way. */
  onTurn = () => {};

  async start(onPrice: (message: PriceMessage) => void, onTrades: (message: TradesMessage) => void) {
    const [first] = this.#watchers;
    if (first === undefined) return;
    first.tap(CHANNELS.PRICE_DATA, ({ message, delivery }) => {
      if (delivery !== 'snapshot') onPrice(message);
    });
    first.tap(CHANNELS.TRADES, ({ message }) => onTrades(message));
    await this.#watch(first);
    this.#requester.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['NONE'] });
    await this.#requester.startListening();
    await this.#addCandidate();
    await this.#untilServed(0);
    await this.#addCandidate();
  }

  async joinLate(): Promise<void> {
    const bot = this.#newBot();
    this.#watchers.push(bot);
    await this.#watch(bot);
    await this.settle();
  }

  /** What each bot that watches the symbol knows. */
  latest(symbol: string): readonly Latest<PriceMessage>[] {
    const bots = this.#requests.has(symbol) ? [...this.#watchers, this.#requester] : this.#watchers;
    return bots.map((bot) => bot.latest(CHANNELS.PRICE_DATA, symbol, BOUNDS));
  }

  isRequested(symbol: string): boolean {
    return this.#requests.has(symbol);
  }

  async request(symbol: string): Promise<void> {
    const ends = [CHANNELS.PRICE_DATA, CHANNELS.TRADES].map((channel) =>
      this.#requester.subscribe(channel, () => {}, { keys: [symbol] }),
    );
    this.#requests.set(symbol, () => {
      for (const end of ends) end();
    });
    await this.until(() => this.venue.requested.includes(symbol), `${symbol} is requested`);
  }

  async release(symbol: string): Promise<void> {
    this.#requests.get(symbol)?.();
    this.#requests.delete(symbol);
    await this.until(() => !this.venue.requested.includes(symbol), `${symbol} is released`);
  }

  /** Redis refuses the next message of the gateway on this channel. */
  refuseNext(channel: string): void {
    this.#server.refused = channel;
  }

  acceptAll(): void {
    this.#server.refused = undefined;
  }

  /** The active gateway ends, and the standby takes over. @param how `cut`: its link fails until then */
  async takeOver(how: 'kill' | 'stop' | 'cut'): Promise<void> {
    const [active] = this.#candidates;
    if (active === undefined) throw new Error('No gateway is active.');
    this.#candidates.shift();
    const { sessions } = this.venue;
    if (how === 'stop') {
      let isStopped = false;
      void active.gateway.stop().then(() => {
        isStopped = true;
      });
      await this.until(() => isStopped, 'the gateway is stopped');
      await active.connection.close();
    } else {
      active.connection.disconnect();
      if (how === 'kill') this.venue.leave();
    }
    await this.#untilServed(sessions);
    if (how === 'cut') {
      active.connection.reconnect();
      this.#candidates.push(active);
    } else {
      if (how === 'kill') await this.#end([active]);
      await this.#addCandidate();
    }
    await this.settle();
  }

  /** Until everything that was sent has arrived. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) {
      await nextTurn();
      this.onTurn();
    }
  }

  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      vi.advanceTimersByTime(Math.min(STEP_MS, left));
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      this.onTurn();
    }
    await this.settle();
  }

  /** What Redis has refused is published again. */
  heartbeat(): Promise<void> {
    return this.advance(2 * HEARTBEAT_MS);
  }

  async until(isReached: () => boolean, what: string): Promise<void> {
    for (let waited = 0; !isReached(); waited += STEP_MS) {
      if (waited > PATIENCE_MS) throw new Error(`It takes too long until ${what}.`);
      await this.advance(STEP_MS);
    }
    await this.settle();
  }

  async close(): Promise<void> {
    for (const bot of [...this.#watchers, this.#requester]) await bot.close();
    this.onTurn = () => {};
    await this.#end(this.#candidates);
  }

  /** Without a word to Redis. */
  async #end(candidates: readonly Candidate[]): Promise<void> {
    for (const { connection } of candidates) await connection.close();
    let areStopped = false;
    void Promise.all(candidates.map(({ gateway }) => gateway.stop())).then(() => {
      areStopped = true;
    });
    await this.until(() => areStopped, 'the gateways are stopped');
  }

  #newBot(): RedisSubscriber {
    return new RedisSubscriber({
      connection: new MemoryConnection({ server: this.#server }),
      logger: SILENT,
    });
  }

  async #watch(bot: RedisSubscriber): Promise<void> {
    bot.subscribe(CHANNELS.PRICE_DATA, () => {});
    await bot.startListening();
  }

  async #addCandidate(): Promise<void> {
    const connection = new MemoryConnection({ server: this.#server });
    const gateway = createGateway({
      createFeed: this.venue.createFeed,
      connection,
      logger: SILENT,
      demandIntervalMs: 100,
      symbolGraceMs: 0,
      reconnectSilentMs: 0,
      silentAfterMs: 86_400_000,
    });
    this.#candidates.push({ gateway, connection });
    let isStarted = false;
    void gateway.start().then(() => {
      isStarted = true;
    });
    await this.until(() => isStarted, 'the gateway is started');
  }

  /** Until another gateway has a session, and has requested what the bots request. */
  async #untilServed(sessions: number): Promise<void> {
    await this.until(() => this.venue.sessions > sessions, 'a gateway takes over');
    const isRequested = (symbol: string) => this.venue.requested.includes(symbol);
    await this.until(() => [...this.#requests.keys()].every(isRequested), 'all is requested');
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const STEP_MS = 100;
const PATIENCE_MS = 60_000;
