// Finds the master behind Redis Sentinel, and moves links when it changes.

import type { Unsubscribe } from '../../../runtime/emitter.ts';
import { formatPlace, type Place, type SentinelGroup } from '../address.ts';
import type { RedisClient } from '../client.ts';
import type { LinkSettings, MovableLink, ServerLocator } from '../link-settings.ts';
import { type SentinelAnswer, SentinelConnection } from './sentinel-connection.ts';
import { type SentinelFailure, sentinelsError } from './sentinel-errors.ts';

/** Milliseconds between two rounds of questions while a link exists. */
const WATCH_MS = 1_000;
/** Maximum number of sentinels that are asked. Named ones count, and a faulty sentinel can name any number. */
const MAX_SENTINELS = 32;

/**
 * Each round asks all known sentinels, and those that they name, at once. The answer with the highest configuration
 * epoch wins: a sentinel that is cut off from the others knows an older master, with a lower epoch. So the master never
 * goes back to a lower epoch, unless the majority of the sentinels report it: then an operator has set them up again.
 *
 * One locator serves all links of a connection. The connections to the sentinels stay open while a link is connected or
 * reconnects.
 */
export class SentinelLocator implements ServerLocator {
  readonly #settings: LinkSettings;
  readonly #group: SentinelGroup;
  readonly #sentinels = new Map<string, SentinelConnection>();
  readonly #links = new Set<MovableLink>();
  /** The latest master that won a round. */
  #master: SentinelAnswer | undefined;
  #round: Promise<SentinelAnswer> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: LinkSettings, group: SentinelGroup) {
    this.#settings = settings;
    this.#group = group;
    for (const place of group.places) this.#add(place);
  }

  /** @throws TickbusError `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED` or `TICKBUS_TLS_FAILED` */
  async locate(): Promise<Place> {
    const { master } = await this.#ask();
    return master;
  }

  /** HELLO reports the role, and needs no permission, unlike ROLE. */
  async verify(client: RedisClient): Promise<void> {
    const reply = await client.sendCommand<Record<string, unknown>>(['HELLO']);
    if (reply.role === 'master') return;
    throw new Error(
      'it is a replica, and the sentinels have named it the master of ' +
        `${this.#group.master}: a failover is not finished, so nothing can be published. Retry in some seconds`,
    );
  }

  watch(link: MovableLink): Unsubscribe {
    this.#links.add(link);
    this.#timer ??= setInterval(() => this.recheck(), WATCH_MS).unref();
    return () => {
      this.#links.delete(link);
      this.#closeIfUnused();
    };
  }

  /** A failed round moves no link: as long as no sentinel reports another master, the present one is the best. */
  recheck(): void {
    this.#ask().then(
      ({ master }) => {
        for (const link of this.#links) link.moveTo(master);
      },
      () => {},
    );
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
          return given;
        },
        (error: unknown): SentinelFailure => ({ place, error }),
      );
      asked.set(formatPlace(place), answer);
    };
    for (const { place } of [...this.#sentinels.values()]) ask(place);
    const answers: SentinelAnswer[] = [];
    const failures: SentinelFailure[] = [];
    // The map grows during the loop: an answer adds the sentinels that it names before it resolves.
    for (const pending of asked.values()) {
      const answer = await pending;
      if ('error' in answer) failures.push(answer);
      else answers.push(answer);
    }
    this.#master = this.#winner(answers, failures);
    return this.#master;
  }

  #winner(answers: readonly SentinelAnswer[], failures: readonly SentinelFailure[]): SentinelAnswer {
    const [latest] = [...answers].sort((a, b) => b.epoch - a.epoch);
    if (latest === undefined) throw sentinelsError(failures, this.#settings, this.#group);
    const known = this.#master;
    if (known === undefined || latest.epoch > known.epoch) return latest;
    const supporters = answers.filter(({ master }) => formatPlace(master) === formatPlace(latest.master));
    const isMajority = supporters.length * 2 > 1 + Math.max(...answers.map(({ others }) => others.length));
    return isMajority ? latest : known;
  }

  #add(place: Place): SentinelConnection | undefined {
    const key = formatPlace(place);
    if (!this.#sentinels.has(key) && this.#sentinels.size < MAX_SENTINELS)
      this.#sentinels.set(key, new SentinelConnection(place, this.#settings, this.#group));
    return this.#sentinels.get(key);
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
