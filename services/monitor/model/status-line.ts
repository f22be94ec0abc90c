// The sentence at the top of the page, which `tickbus status` prints too. It is computed once a second.

import { type BusFacts, busStatus } from '@tickbus/operator-kit/bus-status';
import { definitionFault } from '@tickbus/operator-kit/definition-fault';
import type { ChannelReport, InstrumentStatus, Presence } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { BotRow, StatusSentence } from '../page-protocol.ts';
import { BoundedEntries } from './bounded-entries.ts';
import type { ShownFeed } from './feed-indicators.ts';
import type { LinkStates } from './link-states.ts';

export interface ShownParts {
  readonly links: LinkStates;
  /** The address of Redis, as shown. */
  readonly redis: string;
  readonly feeds: readonly ShownFeed[];
  readonly bots: readonly BotRow[];
  /** Channels that other programs define in another way than the monitor. */
  readonly conflicts: readonly NonNullable<ChannelReport['conflict']>[];
}

const MAX_INSTRUMENTS = 1_000;
const MAX_PROGRAMS = 1_000;
/** Milliseconds after which PRESENCE is right. */
const PRESENCE_MS = 3_000;

export class StatusLine {
  /** Instruments that a feed does not deliver, by the key of INSTRUMENT_STATUS. */
  readonly #undelivered = new BoundedEntries<InstrumentStatus>(MAX_INSTRUMENTS);
  /** Programs that are there, by the key of PRESENCE. */
  readonly #programs = new BoundedEntries<Presence>(MAX_PROGRAMS);
  /** When the list of programs was begun, or after a gap. Those that are there are in it within `PRESENCE_MS`. */
  #programsSince: number | undefined;
  /** Instances that PRESENCE has reported as left or gone. Those that come back are reported as joined. */
  readonly #ended = new BoundedEntries<true>(MAX_PROGRAMS);
  #shown: StatusSentence = { state: 'unknown', sentence: 'The monitor is starting.' };
  #isChanged = false;

  get shown(): StatusSentence {
    return this.#shown;
  }

  /** Programs that are there. */
  get programs(): readonly Presence[] {
    return [...this.#programs.values()];
  }

  recordInstrument(instrument: InstrumentStatus, now: number): void {
    const key = CHANNELS.INSTRUMENT_STATUS.keyOf(instrument) ?? '';
    const isUndelivered = instrument.state === 'refused' || instrument.state === 'unknown';
    if (isUndelivered) this.#undelivered.set(key, instrument, now);
    else this.#undelivered.delete(key);
  }

  /** Programs that are no longer there, as the server says after a gap. One that has been reported since is. */
  forgetPrograms(programs: readonly Presence[], now: number): void {
    for (const presence of programs) {
      const key = CHANNELS.PRESENCE.keyOf(presence) ?? '';
      if (this.#programs.get(key) === presence) this.#programs.delete(key);
    }
    this.#programsSince = now;
  }

  recordPresence(presence: Presence, now: number): void {
    this.#programsSince ??= now;
    const key = CHANNELS.PRESENCE.keyOf(presence) ?? '';
    if (presence.state === 'joined') {
      this.#programs.set(key, presence, now);
      this.#ended.delete(presence.instance);
    } else {
      this.#programs.delete(key);
      this.#ended.set(presence.instance, true, now);
    }
  }

  update(parts: ShownParts, now: number): void {
    const { state, sentence } = busStatus(this.#facts(parts, now));
    if (sentence === this.#shown.sentence) return;
    this.#shown = { state, sentence };
    this.#isChanged = true;
  }

  /** Undefined if it has not changed since the previous call. */
  takeChanged(): StatusSentence | undefined {
    const changed = this.#isChanged ? this.#shown : undefined;
    this.#isChanged = false;
    return changed;
  }

  /**
   * Whether an instance has ended. Its first status can arrive before PRESENCE has it. Later, an instance that PRESENCE
   * does not have crashed before the monitor started.
   */
  #goneBy(links: LinkStates, now: number): (instance: string, ageMs: number) => boolean {
    const { name } = CHANNELS.PRESENCE;
    const since = Math.max(links.restoredAt(name), this.#programsSince ?? now);
    const isKnown = links.stateOf(name) === 'ok' && now - since > PRESENCE_MS;
    const present = new Set(this.programs.map(({ instance }) => instance));
    // The monitor has presence itself: without any program, the last values of PRESENCE have not arrived.
    const isComplete = isKnown && present.size > 0 && this.#programs.dropped === 0;
    return (instance, ageMs) =>
      this.#ended.get(instance) === true || (isComplete && ageMs > PRESENCE_MS && !present.has(instance));
  }

  #facts({ links, redis, feeds, bots, conflicts }: ShownParts, now: number): BusFacts {
    const { state, detail } = links.indicator(redis);
    const statuses = [CHANNELS.FEED_STATUS, CHANNELS.BOT_STATUS].map(({ name }) => links.stateOf(name));
    const errors = conflicts.filter(({ severity }) => severity === 'error');
    const isGone = this.#goneBy(links, now);
    const facts = {
      channelFaults: errors.map((conflict) => definitionFault(conflict, undefined)),
      feeds: feedFacts(feeds, links.restoredAt(CHANNELS.FEED_STATUS.name), now),
      bots: bots.map((row) => ({
        ...row,
        ageMs: now - row.heardAt,
        isOverdue: row.overdue,
        isGone: !row.isPlain && row.instance !== undefined && isGone(row.instance, now - row.heardAt),
      })),
      instruments: [...this.#undelivered.values()],
      programs: this.programs,
    };
    if (state === 'ok') return facts;
    if (state !== 'bad') return { ...facts, unreadable: [detail] };
    // On a cluster, the link to one node can be down while the statuses still arrive.
    const isPart = statuses.every((status) => status === 'ok');
    return isPart ? { ...facts, serverFaults: [{ found: detail }] } : { ...facts, redisFault: detail };
  }
}

/** Until the library knows the holder of a lease, the lease is not judged. */
function feedFacts(feeds: readonly ShownFeed[], restoredAt: number, now: number): BusFacts['feeds'] {
  return feeds.flatMap(({ heartbeat, heldLease = 'unknown' as const }) => {
    if (heartbeat === undefined) return [];
    const { status, receivedAt } = heartbeat;
    return [{ status, ageMs: now - Math.max(receivedAt, restoredAt), heldLease }];
  });
}
