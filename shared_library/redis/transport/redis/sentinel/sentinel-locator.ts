// Finds the master behind Redis Sentinel, and moves links when it changes.

import { TickbusError } from '../../../errors.ts';
import type { Unsubscribe } from '../../../runtime/emitter.ts';
import { formatPlace, type Place, type SentinelGroup } from '../address.ts';
import type { RedisClient } from '../client.ts';
import type { LinkSettings, MovableLink, ServerLocator } from '../link-settings.ts';
import { type SentinelAnswer, SentinelConnection } from './sentinel-connection.ts';
import { describeFailure, type SentinelFailure, sentinelsError } from './sentinel-errors.ts';

/** Milliseconds between two rounds of questions while a link exists. */
const WATCH_MS = 1_000;
/** Maximum number of sentinels that are asked. Named ones count, and a faulty sentinel can name any number. */
const MAX_SENTINELS = 32;

/** The sentinels of an address. */
export interface SentinelReport {
  /** The name of the master in their configuration. */
  readonly name: string;
  /** Number of sentinels that answer. */
  readonly answering: number;
  /** Number of all sentinels that watch the master, as they report it. */
  readonly known: number;
  /** Why an address of a sentinel does not answer, such as `10.0.0.1:26379 refused the connection`. */
  readonly failures: readonly string[];
}

/**
 * Each round asks all known sentinels, and those that they name, at once. The answer with the highest configuration
 * epoch wins, because every failover increases it: a sentinel that is cut off from the others names an older master. So
 * the master never goes back to a lower epoch, unless the majority of the sentinels report it: then an operator has set
 * them up again.
 *
 * One locator serves all links of a connection. The connections to the sentinels stay open while a link connects, is
 * connected, or reconnects.
 */
export class SentinelLocator implements ServerLocator {
  readonly #settings: LinkSettings;
  readonly #group: SentinelGroup;
  readonly #sentinels = new Map<string, SentinelConnection>();
  readonly #links = new Set<MovableLink>();
  /** The latest master that won a round. */
  #master: SentinelAnswer | undefined;
  #round: Promise<SentinelAnswer> | undefined;
  #report: SentinelReport | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: LinkSettings, group: SentinelGroup) {
    this.#settings = settings;
    this.#group = group;
    for (const place of group.places) this.#add(place);
  }

  /**
   * Asks twice while no master is known: a process that is busy with its start can miss the answers of the first round.
   *
   * @throws TickbusError `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED` or `TICKBUS_TLS_FAILED`
   */
  async locate(): Promise<Place> {
    const isFirst = this.#master === undefined;
    const { master } = await this.#ask().catch((error: unknown) => {
      if (isFirst) return this.#ask();
      throw error;
    });
    return master;
  }

  /** HELLO reports the role, and needs no permission, unlike ROLE. */
  async verify(client: RedisClient): Promise<void> {
    const reply = await client.sendCommand<Record<string, unknown>>(['HELLO']);
    if (reply.role === 'master') return;
    const text =
      `The server that the sentinels name as the master "${this.#group.master}" is a replica: a failover is not ` +
      'finished, and nothing can be published until it is. Retry in some seconds.';
    throw new TickbusError('TICKBUS_CONNECT_FAILED', text);
  }

  watch(link: MovableLink): Unsubscribe {
    this.#links.add(link);
    this.#timer ??= setInterval(() => void this.#ask().catch(() => {}), WATCH_MS).unref();
    return () => {
      this.#links.delete(link);
      this.#closeIfUnused();
    };
  }

  /** A round that is under way may have begun before the reason to ask. A failed round moves no link. */
  async recheck(): Promise<void> {
    await this.#round?.catch(() => {});
    await this.#ask().catch(() => {});
  }

  /** What the sentinels report now. */
  async report(): Promise<SentinelReport | undefined> {
    await this.#ask();
    return this.#report;
  }

  /** Concurrent calls share a round. */
  #ask(): Promise<SentinelAnswer> {
    this.#round ??= this.#askAll().finally(() => {
      this.#round = undefined;
      this.#closeIfUnused();
    });
    return this.#round;
  }

  async #askAll(): Promise<SentinelAnswer> {
    const asked = new Map<string, Promise<SentinelAnswer | SentinelFailure>>();
    const ask = (place: Place) => {
      const sentinel = this.#add(place);
      if (sentinel === undefined || asked.has(formatPlace(place))) return;
      const answer = sentinel.ask().then(
        (given) => {
          given.others.forEach(ask);
          // Without waiting for slower sentinels.
          if (given.epoch > (this.#master?.epoch ?? given.epoch)) this.#moveLinks(given);
          return given;
        },
        (error: unknown): SentinelFailure => ({ place, error }),
      );
      asked.set(formatPlace(place), answer);
    };
    for (const { place } of [...this.#sentinels.values()]) ask(place);
    const byId = new Map<string, SentinelAnswer>();
    const failures: SentinelFailure[] = [];
    // The map grows during the loop: an answer adds the sentinels that it names before it resolves.
    for (const pending of asked.values()) {
      const answer = await pending;
      if ('error' in answer) failures.push(answer);
      else byId.set(answer.id, answer);
    }
    const answers = [...byId.values()];
    if (answers.length === 0) throw sentinelsError(failures, this.#settings, this.#group);
    this.#forget(failures, answers);
    this.#report = {
      name: this.#group.master,
      answering: answers.length,
      known: Math.max(...answers.map(({ sentinels }) => sentinels)),
      failures: failures.map((failure) => describeFailure(failure, this.#settings, this.#group)),
    };
    return this.#moveLinks(this.#winner(answers));
  }

  #moveLinks(latest: SentinelAnswer): SentinelAnswer {
    this.#master = latest;
    for (const link of this.#links) link.moveTo(latest.master);
    return latest;
  }

  /** @param answers at least one */
  #winner(answers: readonly SentinelAnswer[]): SentinelAnswer {
    const latest = answers.reduce((best, answer) => (answer.epoch > best.epoch ? answer : best));
    const known = this.#master;
    if (known === undefined || latest.epoch > known.epoch) return latest;
    const naming = (wanted: Place) =>
      answers.filter(({ master }) => formatPlace(master) === formatPlace(wanted));
    // Sentinels can spell one place in two ways, as a host name and as an address.
    if (naming(known.master).some(({ epoch }) => epoch === known.epoch)) return known;
    const sentinels = Math.max(...answers.map((answer) => answer.sentinels));
    return naming(latest.master).length * 2 > sentinels ? latest : known;
  }

  #add(place: Place): SentinelConnection | undefined {
    const key = formatPlace(place);
    if (!this.#sentinels.has(key) && this.#sentinels.size < MAX_SENTINELS)
      this.#sentinels.set(key, new SentinelConnection(place, this.#settings, this.#group));
    return this.#sentinels.get(key);
  }

  /** Sentinels that fail, are not of the address, and are named by nobody: they have moved or were removed. */
  #forget(failures: readonly SentinelFailure[], answers: readonly SentinelAnswer[]): void {
    const kept = new Set(
      [...this.#group.places, ...answers.flatMap(({ others }) => others)].map(formatPlace),
    );
    for (const key of failures.map(({ place }) => formatPlace(place)))
      if (!kept.has(key)) this.#sentinels.delete(key);
  }

  #closeIfUnused(): void {
    if (this.#links.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#round === undefined) for (const sentinel of this.#sentinels.values()) sentinel.close();
  }
}

/** Adds a locator to the settings of links behind Sentinel. Links that share it share its view of the sentinels. */
export function withSentinels(settings: LinkSettings): LinkSettings {
  const { sentinel } = settings;
  return sentinel === undefined
    ? settings
    : { ...settings, locator: new SentinelLocator(settings, sentinel) };
}
