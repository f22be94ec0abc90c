// A desk that observes PRESENCE, and asks bots that do not answer.

import { deepEqual } from 'node:assert/strict';
import { AskError, CHANNELS, type Presence, presenceList, type RedisPublisher } from 'tickbus';
import type { Testbed } from './testbed.ts';
import { within } from './wait.ts';
import { WorkerProcess } from './worker-process.ts';
import type { NamedBotsSettings } from './workers/named-bots.ts';

type State = Presence['state'];

interface Report {
  readonly state: State;
  /** `performance.now()` */
  readonly at: number;
}

/** How an ask ended, and when, by `performance.now()`. */
interface End {
  readonly code: string;
  readonly at: number;
}

/** What an ask in flight to a bot that ends, and one after that, may take after PRESENCE has reported it. */
const ASK_FAILS_WITHIN_MS = 100;
const NEVER_MS = 600_000;
const { PRESENCE, TRADE_COMMANDS } = CHANNELS;

export class PresenceDesk {
  readonly #testbed: Testbed;
  readonly #publisher: RedisPublisher;
  /** The last report about each name. */
  readonly #last = new Map<string, Report>();
  /** All reports, as `momentum gone`. */
  readonly all: string[] = [];
  #onReport = () => {};

  private constructor(testbed: Testbed) {
    this.#testbed = testbed;
    this.#publisher = testbed.publisher();
  }

  static async open(testbed: Testbed): Promise<PresenceDesk> {
    const desk = new PresenceDesk(testbed);
    const { subscriber } = testbed.subscriber();
    subscriber.subscribe(PRESENCE, ({ data: { name, state } }) => {
      desk.#last.set(name, { state, at: performance.now() });
      desk.all.push(`${name} ${state}`);
      desk.#onReport();
    });
    await subscriber.startListening();
    return desk;
  }

  /** Starts bots in a process of their own. Resolves when they listen. */
  async start(names: readonly string[], port?: number): Promise<WorkerProcess> {
    const settings: NamedBotsSettings = { names, url: this.#testbed.urlOf(port) };
    const worker = new WorkerProcess('named-bots', { ...settings });
    this.#testbed.atEnd(() => worker.kill());
    await worker.receive('ready');
    return worker;
  }

  forget(): void {
    this.#last.clear();
  }

  /** Resolves with the time at which the last report about each of them was this state. */
  until(state: State, names: readonly string[]): Promise<number> {
    return new Promise((resolve) => {
      this.#onReport = () => {
        if (names.every((name) => this.#last.get(name)?.state === state)) resolve(performance.now());
      };
      this.#onReport();
    });
  }

  /** Acts, and measures the time until all are reported in this state. */
  async timed(
    state: State,
    names: readonly string[],
    limitMs: number,
    what: string,
    act: () => unknown,
  ): Promise<void> {
    const since = performance.now();
    await act();
    const took = await this.#testbed.bounded(what, limitMs, since, this.until(state, names));
    this.#testbed.note(`${what} after ${took} ms`);
  }

  /** As `timed`, with an ask in flight to each: it fails as soon as PRESENCE has reported the end, as do new ones. */
  async timedEnd(...[state, names, limitMs, what, act]: Parameters<PresenceDesk['timed']>): Promise<void> {
    const asks = await Promise.all(names.map((name) => this.#inFlight(name)));
    await this.timed(state, names, limitMs, what, act);
    const failures = await within(`${what}: the asks fail`, Promise.all(asks.map(({ failed }) => failed)));
    deepEqual([...new Set(failures.map(({ code }) => code))], ['TICKBUS_NO_ANSWER'], what);
    const late = failures.map(({ at }, index) => at - (this.#last.get(names[index] ?? '')?.at ?? 0));
    this.#limit(`${what}: their asks in flight fail`, Math.max(...late));
    const askedAt = performance.now();
    const next = await within(`${what}: new asks`, Promise.all(names.map((name) => this.#failure(name))));
    deepEqual([...new Set(next.map(({ code }) => code))], ['TICKBUS_ABSENT'], what);
    this.#limit(`${what}: new asks fail`, Math.max(...next.map(({ at }) => at - askedAt)));
  }

  /** Each of these bots answers. */
  async expectAnswers(names: readonly string[]): Promise<void> {
    const asks = names.map((bot) => this.#publisher.ask(TRADE_COMMANDS, { bot }, { type: 'resume' }));
    await within('The bots answer', Promise.all(asks));
  }

  /** Those that are listed are exactly these. */
  async expectList(names: readonly string[]): Promise<void> {
    const listed = await presenceList(this.#testbed.connection());
    deepEqual(listed.map(({ name }) => name).sort(), [...names].sort());
  }

  #limit(what: string, ms: number): void {
    const text = `${what} after ${Math.round(ms)} ms`;
    this.#testbed.note(text);
    if (ms > ASK_FAILS_WITHIN_MS)
      this.#testbed.exceeded.push(`${text}; the limit is ${ASK_FAILS_WITHIN_MS} ms.`);
  }

  /** Resolves when the server has confirmed the command. */
  async #inFlight(name: string): Promise<{ readonly failed: Promise<End> }> {
    let onPublished: () => void = () => {};
    const published = new Promise<void>((resolve) => {
      onPublished = resolve;
    });
    const failed = this.#failure(name, onPublished);
    await within(`A command for ${name} is published`, published);
    return { failed };
  }

  async #failure(bot: string, onPublished: () => void = () => {}): Promise<End> {
    const options = { type: 'pause', timeoutMs: NEVER_MS, onPublished } as const;
    try {
      const { outcome } = await this.#publisher.ask(TRADE_COMMANDS, { bot }, options);
      return { code: outcome, at: performance.now() };
    } catch (error) {
      return { code: error instanceof AskError ? error.code : String(error), at: performance.now() };
    }
  }
}
