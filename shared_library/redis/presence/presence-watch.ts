// Follows PRESENCE for a publisher that asks: who is there under which name, and who has ended.

import { CHANNELS } from '../channel/bundled-channels.ts';
import type { Channel } from '../channel/channel.ts';
import type { BotStatus } from '../channel/schemas/bot-status.ts';
import type { Presence } from '../channel/schemas/presence.ts';
import { TickbusError } from '../errors.ts';
import { PublisherBase } from '../publish/publisher-base.ts';
import { BoundedMap } from '../runtime/bounded-map.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import { timeout } from '../runtime/timeout.ts';
import type { SubscriberBase } from '../subscribe/subscriber-base.ts';
import type { Transport } from '../transport/port.ts';
import { PresenceKeeper, RETURN_MS } from './presence-keeper.ts';
import {
  isRestored,
  MAX_PARTICIPANTS,
  mayList,
  type PresenceRecord,
  readRecords,
} from './presence-record.ts';

export interface PresenceWatchOptions {
  /** The link for publishing. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sender: string;
  /** Creates a subscriber on the link for subscribing. The watch closes it. */
  readonly newSubscriber: () => SubscriberBase;
}

/** The end of a participant, as reported. */
export interface Ending {
  readonly name: string;
  readonly instance: string;
  readonly state: 'left' | 'gone';
  /** Whether nobody of that name is there now. */
  readonly isLast: boolean;
}

/** Who listens to a channel under a name. */
export interface Receiver {
  /** Whether it is certain that nobody of that name listens. */
  readonly isAbsent: boolean;
  /** Whether it is absent because it crashed, hangs or lost its link. False if that is not known. */
  readonly isGone: boolean;
  /** The instances of that name that are there. Empty if none is known, for example for a plain client. */
  readonly instances: ReadonlySet<string>;
  /**
   * Whether one of them says that it subscribes to the channel, also if its link is down for a moment. Undefined if it
   * is unknown, because the link to PRESENCE is down.
   */
  readonly subscribes: boolean | undefined;
}

/** Milliseconds for which the records that were read show that somebody is there. Nobody is absent by old records. */
const RECORDS_MS = 400;
/** Milliseconds between two looks for a program that may be back soon. */
const RECHECK_MS = 100;
const UNKNOWN: Receiver = { isAbsent: false, isGone: false, instances: new Set(), subscribes: false };
const ABSENT: Receiver = { ...UNKNOWN, isAbsent: true };
const UNREADABLE: Receiver = { ...UNKNOWN, subscribes: undefined };
const GONE: Receiver = { ...ABSENT, isGone: true };

/**
 * Nothing is sent before `find`. From then on the watch listens to PRESENCE, and is a candidate for keeping it: so the
 * end of the only named program is reported, too. Without permissions it knows less, and says so.
 */
export class PresenceWatch {
  readonly #options: PresenceWatchOptions;
  /** The instances that were reported `joined`, by name. */
  readonly #joined = new Map<string, Set<string>>();
  /** The names that nobody has since their last instance was reported `left` or `gone`. */
  readonly #ended = new BoundedMap<Ending['state']>({
    limit: MAX_PARTICIPANTS,
    isKept: () => false,
    onEvicted: () => {},
  });
  #subscriber: SubscriberBase | undefined;
  #publisher: PublisherBase | undefined;
  #keeper: PresenceKeeper | undefined;
  /** The instances that have ended since the records were read, or while they are being read. */
  readonly #endedSince = new Set<string>();
  #records: { readonly at: number; readonly list: Promise<readonly PresenceRecord[]> } | undefined;
  /** When the link was restored last, by the monotonic clock. */
  #restoredAt = Number.NEGATIVE_INFINITY;
  #unwatchLink: Unsubscribe = () => {};
  #isClosed = false;
  /** Called with each end that is reported. */
  onEnd: (ending: Ending) => void = () => {};

  constructor(options: PresenceWatchOptions) {
    this.#options = options;
  }

  /**
   * Never rejects: what cannot be read is unknown. Takes up to `RETURN_MS` if the program may be back soon: after an
   * outage, the links of others come back later than this one.
   */
  async find(name: string, channel: Channel): Promise<Receiver> {
    const { transport, clock, logger } = this.#options;
    try {
      await this.#start();
      const before = await this.#receiver(name, channel);
      if (before?.isAbsent === false) return before;
      const endsAt = clock.monotonic() + RETURN_MS;
      for (let maxAgeMs = 0; ; maxAgeMs = RECHECK_MS) {
        const now = await this.#receiver(name, channel, maxAgeMs);
        if (now !== undefined) return now;
        if (!this.#mayReturn(name) || clock.monotonic() >= endsAt) break;
        await timeout(clock, RECHECK_MS).promise;
      }
      // A value without a record is that of a program that has crashed, as for the keeper.
      const ended = this.#joined.has(name) ? 'gone' : this.#ended.get(name);
      if (ended !== undefined) return ended === 'gone' ? GONE : ABSENT;
      const isSplit = channel.layout !== undefined && channel.layout > 1;
      const isEveryoneNamed = !isSplit && (await transport.areListenersNamed(channel));
      if (isEveryoneNamed !== true) return UNKNOWN;
      return (await this.#hasUnfinishedStatus(name)) ? GONE : ABSENT;
    } catch (err) {
      logger.debug({ err, name }, 'Presence: it is unknown who listens.');
      const isDenied = err instanceof TickbusError && err.code === 'TICKBUS_DENIED';
      return isDenied ? UNKNOWN : UNREADABLE;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatchLink();
    await Promise.all([this.#keeper?.close(), this.#subscriber?.close({ timeoutMs: 0 })]);
    await this.#publisher?.close();
  }

  async #start(): Promise<void> {
    const { transport, clock, logger, sender, newSubscriber } = this.#options;
    await transport.connect();
    if (this.#isClosed) return;
    this.#subscriber ??= this.#listening(newSubscriber());
    // Without permission to subscribe, the records alone show who is there.
    await this.#subscriber.startListening().catch((err: unknown) => {
      logger.debug({ err }, 'Presence: cannot listen.');
    });
    if (this.#isClosed || this.#keeper !== undefined) return;
    this.#unwatchLink = transport.onStatus((status) => {
      if (isRestored(status)) this.#restoredAt = clock.monotonic();
    });
    this.#publisher = new PublisherBase({ transport, clock, sender });
    const onRefused = (err: unknown) => logger.debug({ err }, 'Presence: another program has to keep it.');
    this.#keeper = new PresenceKeeper({ transport, clock, logger, publisher: this.#publisher, onRefused });
    this.#keeper.start();
  }

  #listening(subscriber: SubscriberBase): SubscriberBase {
    subscriber.subscribe(CHANNELS.PRESENCE, ({ data }) => this.#record(data as Presence));
    // Ends may be missing, and a server that has lost its memory has no records until the links are back.
    subscriber.on('gap', () => this.#joined.clear());
    subscriber.on('status', ({ type }) => type === 'disconnected' && this.#joined.clear());
    return subscriber;
  }

  #record({ name, instance, state }: Presence): void {
    const instances = this.#joined.get(name) ?? new Set();
    if (state === 'joined') {
      this.#joined.set(name, instances.add(instance));
      return;
    }
    this.#endedSince.add(instance);
    instances.delete(instance);
    const isLast = instances.size === 0;
    if (isLast) {
      this.#joined.delete(name);
      this.#ended.set(name, state);
    }
    this.onEnd({ name, instance, state, isLast });
  }

  /** Whether a program without a record may have lost it in an outage. PRESENCE soon tells it from one that crashed. */
  #mayReturn(name: string): boolean {
    return this.#joined.has(name) || this.#options.clock.monotonic() - this.#restoredAt < RETURN_MS;
  }

  async #receiver(name: string, channel: Channel, maxAgeMs = RECORDS_MS): Promise<Receiver | undefined> {
    const records = await this.#read(maxAgeMs);
    const ofName = records.filter((one) => one.name === name && !this.#endedSince.has(one.instance));
    return receiverIn(ofName, channel);
  }

  /** Whether the last status of a bot that had presence is not `stopped`. False if that cannot be read. */
  async #hasUnfinishedStatus(bot: string): Promise<boolean> {
    try {
      const { entries } = await this.#options.transport.read(CHANNELS.BOT_STATUS);
      const decoder = new TextDecoder();
      const statuses = entries.map((entry) => JSON.parse(decoder.decode(entry))?.data as Partial<BotStatus>);
      return statuses.some(
        (status) => status?.bot === bot && status.instance !== undefined && status.state !== 'stopped',
      );
    } catch {
      return false;
    }
  }

  #read(maxAgeMs: number): Promise<readonly PresenceRecord[]> {
    const { transport, clock } = this.#options;
    const now = clock.monotonic();
    const known = this.#records;
    if (known !== undefined && now - known.at < maxAgeMs) return known.list;
    this.#endedSince.clear();
    const list = readRecords(transport);
    this.#records = { at: now, list };
    return list;
  }
}

/** Undefined without a record. A program that claims its name is about to be there, and is not known to listen. */
function receiverIn(records: readonly PresenceRecord[], { name }: Channel): Receiver | undefined {
  const joined = records.filter(({ state }) => state === 'joined');
  const instances = new Set(joined.map(({ instance }) => instance));
  const subscribes = joined.some((record) => mayList(record.subscribes, name));
  if (instances.size > 0) return { ...UNKNOWN, instances, subscribes };
  if (records.some(({ state }) => state === 'claimed')) return UNKNOWN;
  return records.length > 0 ? ABSENT : undefined;
}
