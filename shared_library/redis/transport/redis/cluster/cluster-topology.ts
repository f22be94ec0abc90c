// Which node of a cluster serves which slot, as one of its nodes sees it. Shared by the links of a connection.

import { setTimeout as sleep } from 'node:timers/promises';
import { TickbusError } from '../../../errors.ts';
import { Emitter, type Unsubscribe } from '../../../runtime/emitter.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { formatAddress, formatPlace, type Place } from '../address.ts';
import type { LinkSettings } from '../link-settings.ts';
import { ClusterNode, type ClusterView, type SlotRange } from './cluster-view.ts';

/** Milliseconds between two queries. */
const REFRESH_MS = 1_000;
/** Milliseconds between a doubt and the query, which serves all doubts of that time. */
const RECHECK_MS = 50;
/** The number of nodes that are asked at the same time, if the last one does not answer. */
const ASKED_AT_ONCE = 3;

/**
 * Asks one node each second, and at once while somebody doubts. If it does not answer, asks others, three at a time.
 *
 * A view counts unless its epoch is below the known one, or its node sees no majority. If nothing is known and no view
 * counts, the first one is used.
 */
export class ClusterTopology {
  readonly #settings: LinkSettings;
  readonly #seeds: readonly Place[];
  readonly #events: Emitter<{ refreshed: undefined }>;
  /** Nodes of the last view. */
  #nodes: readonly Place[] = [];
  #ranges: readonly SlotRange[] = [];
  #epoch = 0;
  /** The node that has answered last. */
  #node: ClusterNode | undefined;
  #refreshing: Promise<void> | undefined;
  #rechecking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param settings its `cluster` lists nodes to start with; they and all others use its credentials */
  constructor(settings: LinkSettings, logger: Logger) {
    this.#settings = settings;
    this.#seeds = settings.cluster ?? [settings];
    this.#events = new Emitter((err) => logger.error({ err }, 'A listener of the cluster topology threw.'));
  }

  /** The master of a slot by the last view; undefined if nobody serves it. */
  ownerOf(slot: number): Place | undefined {
    return this.#ranges.find(({ from, to }) => from <= slot && slot <= to)?.owner;
  }

  /** The slots that have an owner. */
  get ranges(): readonly SlotRange[] {
    return this.#ranges;
  }

  /** Every master that serves a slot. */
  get owners(): Place[] {
    return [...new Map(this.#ranges.map(({ owner }) => [formatPlace(owner), owner])).values()];
  }

  /** Called after each view that counts. */
  onRefreshed(listener: () => void): Unsubscribe {
    return this.#events.on('refreshed', listener);
  }

  /**
   * Asks the cluster now. Calls at the same time share one query.
   *
   * @throws TickbusError `TICKBUS_CONNECT_FAILED` if no node answers, `TICKBUS_AUTH_FAILED`, `TICKBUS_DENIED`
   */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#ask().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  /** Asks the cluster soon: for doubts that can come with every message. Never rejects. */
  async recheck(): Promise<void> {
    this.#rechecking ??= sleep(RECHECK_MS)
      .then(() => this.refresh())
      .catch(() => {})
      .finally(() => {
        this.#rechecking = undefined;
      });
    await this.#rechecking;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#events.clear();
    this.#node?.close();
  }

  async #ask(): Promise<void> {
    if (this.#isClosed) throw closedError();
    const failures: unknown[] = [];
    const current = this.#node;
    if (current !== undefined) {
      this.#node = undefined;
      if (await this.#adoptFirst([viewOf(current)], true, failures)) return;
    }
    const places = this.#candidates();
    for (const mustCount of this.#ranges.length === 0 ? [true, false] : [true]) {
      for (let from = 0; from < places.length; from += ASKED_AT_ONCE) {
        const asked = places.slice(from, from + ASKED_AT_ONCE).map((place) => this.#connect(place));
        if (await this.#adoptFirst(asked, mustCount, failures)) return;
      }
    }
    throw unreachableError(this.#settings, failures);
  }

  /** Adopts the first answer that counts, and closes the other connections. */
  async #adoptFirst(asked: Promise<Answer>[], mustCount: boolean, failures: unknown[]): Promise<boolean> {
    const counted = asked.map(async (answer) => {
      const { node, view } = await answer;
      if (this.#isClosed) throw closedError();
      if (mustCount && !(view.isOk && view.epoch >= this.#epoch)) throw outdatedError(node.place);
      return { node, view };
    });
    const first = await Promise.any(counted).catch((error: AggregateError) => {
      failures.push(...error.errors);
      return undefined;
    });
    for (const answer of asked)
      answer.then(
        ({ node }) => {
          if (node !== first?.node) node.close();
        },
        () => {},
      );
    if (first === undefined) return false;
    this.#node = first.node;
    this.#epoch = first.view.epoch;
    this.#ranges = first.view.ranges;
    this.#nodes = first.view.nodes;
    this.#timer ??= setInterval(() => void this.refresh().catch(() => {}), REFRESH_MS).unref();
    this.#events.emit('refreshed', undefined);
    return true;
  }

  async #connect(place: Place): Promise<Answer> {
    return viewOf(await ClusterNode.connect(this.#settings, place));
  }

  /** The nodes of the last view in random order, then the other seeds. */
  #candidates(): Place[] {
    const shuffled = this.#nodes.map((place) => ({ place, order: Math.random() }));
    shuffled.sort((one, other) => one.order - other.order);
    const all = [...shuffled.map(({ place }) => place), ...this.#seeds];
    return [...new Map(all.map((place) => [formatPlace(place), place])).values()];
  }
}

/** A node, and what it answered. */
interface Answer {
  readonly node: ClusterNode;
  readonly view: ClusterView;
}

/** Closes the node if it does not answer. */
async function viewOf(node: ClusterNode): Promise<Answer> {
  try {
    return { node, view: await node.view() };
  } catch (error) {
    node.close();
    throw error;
  }
}

/** The codes of errors that say more than that a node does not answer. */
const TELLING_CODES: ReadonlySet<unknown> = new Set([
  'TICKBUS_AUTH_FAILED',
  'TICKBUS_DENIED',
  'TICKBUS_TLS_FAILED',
  'TICKBUS_INVALID_OPTION',
  'TICKBUS_CLOSED',
]);

function unreachableError(settings: LinkSettings, failures: readonly unknown[]): TickbusError {
  const errors = failures.filter((error) => error instanceof TickbusError);
  const telling = errors.find(({ code }) => TELLING_CODES.has(code));
  if (telling !== undefined) return telling;
  const reasons = [...new Set(errors.map(({ message }) => message))].slice(0, ASKED_AT_ONCE).join(' ');
  const text =
    `No node of the cluster at ${formatAddress(settings)} says who serves which channel, so none can be reached. ` +
    reasons;
  return new TickbusError('TICKBUS_CONNECT_FAILED', text.trimEnd(), { cause: errors[0] });
}

function outdatedError(place: Place): TickbusError {
  const text =
    `The node ${formatPlace(place)} is cut off from the majority of the cluster, or some slots have no owner, so its ` +
    'view is not used.';
  return new TickbusError('TICKBUS_SERVER_ERROR', text);
}

function closedError(): TickbusError {
  return new TickbusError('TICKBUS_CLOSED', 'The connection was closed. Create a new one.');
}
