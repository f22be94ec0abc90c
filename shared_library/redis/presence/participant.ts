// A participant: a named program, or the part of it that uses one connection. Its record says that it is there.

import { v7 as uuidv7 } from 'uuid';
import { CHANNELS } from '../channel/bundled-channels.ts';
import { type ErrorCode, TickbusError } from '../errors.ts';
import { PublisherBase } from '../publish/publisher-base.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import { thisProgram } from '../runtime/program.ts';
import { timeout } from '../runtime/timeout.ts';
import type { Transport } from '../transport/port.ts';
import { claimName, recheckName, requireOnlyOne } from './name-claim.ts';
import { PresenceKeeper } from './presence-keeper.ts';
import { isRestored, listed, OwnRecord, type PresenceRecord, RENEW_MS } from './presence-record.ts';

export interface ParticipantOptions {
  readonly transport: Transport;
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called if another program has the name, too, although this one has asked for it for itself. */
  readonly onNameTaken: (error: TickbusError) => void;
}

/** The channels that a participant uses. */
export interface UsedChannels {
  readonly subscribes: Iterable<string>;
  readonly publishes: Iterable<string>;
}

/** Milliseconds for which changes of the channels are collected. */
const CHANGE_DELAY_MS = 100;
/** Milliseconds until a link whose first connection failed is tried again. */
const RECONNECT_MS = 5_000;
/** Milliseconds for a call to the server, so that a hanging server does not delay the end of a program. */
const DEADLINE_MS = 1_000;

/**
 * States:
 *
 * - `idle`: not started, or not connected yet. Nothing is sent, except a claim of the name.
 * - `joined`: the record is renewed, and written again on each new connection. Errors are logged once for each code.
 * - `closed`.
 *
 * Nothing depends on messages: a participant acts when it starts, when its channels change, and by a timer, which does
 * not keep the process alive.
 */
export class Participant {
  readonly #options: ParticipantOptions;
  readonly instance = uuidv7();
  readonly #since: number;
  readonly #own: OwnRecord;
  readonly #publisher: PublisherBase;
  readonly #keeper: PresenceKeeper;
  #state: 'idle' | 'joined' | 'closed' = 'idle';
  #revision = 1;
  #used: UsedChannels = { subscribes: [], publishes: [] };
  /** The start in flight, which calls share. */
  #starting: { readonly isUnique: boolean; readonly outcome: Promise<void> } | undefined;
  #isDenied = false;
  /** Whether this program has the name for itself, and whether another may have taken it since the last check. */
  #isUnique = false;
  #isInDoubt = false;
  /** Whether the server has accepted the record, and the user has not lost the permission since. */
  isSeen = false;
  readonly #loggedCodes = new Set<ErrorCode>();
  #cancelTimer: Unsubscribe = () => {};
  #cancelChange: Unsubscribe | undefined;
  #unwatchLink: Unsubscribe = () => {};

  constructor(options: ParticipantOptions) {
    const { transport, name, clock, logger } = options;
    this.#options = options;
    this.#since = clock.now();
    this.#own = new OwnRecord(transport, clock);
    this.#publisher = new PublisherBase({ transport, clock, sender: name, deadlineMs: DEADLINE_MS });
    this.#keeper = new PresenceKeeper({
      transport,
      clock,
      logger,
      publisher: this.#publisher,
      onRefused: (error) => this.#warnOnce(error),
    });
  }

  /**
   * Connects and joins. Without `isUnique` it never rejects; it retries and logs instead.
   *
   * @throws TickbusError `TICKBUS_NAME_TAKEN`, or why that cannot be found out
   */
  start(isUnique: boolean): Promise<void> {
    const before = this.#starting;
    if (before !== undefined && (before.isUnique || !isUnique)) return before.outcome;
    const start = () => this.#start(isUnique);
    const starting = { isUnique, outcome: before === undefined ? start() : before.outcome.then(start) };
    this.#starting = starting;
    const onSettled = () => {
      if (this.#starting === starting) this.#starting = undefined;
    };
    starting.outcome.then(onSettled, onSettled);
    return starting.outcome;
  }

  /** Reports the channels soon, together with other changes. */
  setChannels(used: UsedChannels): void {
    this.#used = used;
    if (this.#state !== 'joined' || this.#cancelChange !== undefined) return;
    this.#cancelChange = this.#options.clock.after(CHANGE_DELAY_MS, () => {
      this.#cancelChange = undefined;
      this.#revision++;
      void this.#announce();
    });
  }

  /** Reports `left`. Never rejects, and takes a second at most for each of its two steps. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    const wasJoined = this.#state === 'joined';
    this.#state = 'closed';
    this.#cancelTimer();
    this.#cancelChange?.();
    this.#unwatchLink();
    if (wasJoined) await this.#within(this.#report('left'));
    await this.#within(Promise.all([this.#keeper.close(), this.#publisher.close()]));
  }

  async #start(isUnique: boolean): Promise<void> {
    if (this.#state === 'closed') return;
    try {
      await this.#options.transport.connect();
      if (isUnique) await this.#requireName();
    } catch (error) {
      if (isUnique) throw error;
      this.#onError(error);
      this.#cancelTimer();
      this.#cancelTimer = this.#options.clock.after(RECONNECT_MS, () => void this.start(false));
      return;
    }
    if (this.#state === 'idle') await this.#join();
  }

  async #requireName(): Promise<void> {
    const { transport, clock } = this.#options;
    if (this.#state === 'joined') await requireOnlyOne(transport, this.#record('joined'));
    if (this.#state === 'idle') await claimName(transport, clock, this.#own, this.#record('claimed'));
    this.#isUnique = true;
  }

  async #join(): Promise<void> {
    this.#state = 'joined';
    this.#unwatchLink = this.#options.transport.onStatus((status) => {
      if (!isRestored(status)) return;
      // The server may have lost the record.
      this.#isInDoubt = true;
      void this.#announce();
    });
    this.#keeper.start();
    this.#scheduleRenewal();
    await this.#announce();
  }

  /** Writes the record and publishes the presence: at the start, after a change, and on every new connection. */
  async #announce(): Promise<void> {
    if (this.#state === 'joined') await this.#report('joined');
  }

  /**
   * Publishes only what the server has recorded: the keeper would report a participant without a record as gone.
   * Without permission to publish, the record is enough: the keeper publishes what it says.
   */
  async #report(state: 'joined' | 'left'): Promise<void> {
    const record = this.#record(state);
    this.#isDenied = false;
    if (!(await this.#write(record))) return;
    const options = { endsKey: state === 'left' };
    await this.#publisher
      .publish(CHANNELS.PRESENCE, { ...record, state }, options)
      .catch((error: unknown) => this.#onError(error));
  }

  /** A user without permission is asked again with the next report only. @returns whether the record was written */
  async #write(record: PresenceRecord): Promise<boolean> {
    try {
      const hasLapsed = await this.#own.write(record);
      this.isSeen = true;
      if (this.#isUnique && (hasLapsed || this.#isInDoubt)) void this.#recheckName(record);
      return true;
    } catch (error) {
      if (error instanceof TickbusError && error.code === 'TICKBUS_DENIED') {
        this.#isDenied = true;
        this.isSeen = false;
      }
      this.#onError(error);
      return false;
    }
  }

  /** Repeated with the next renewal until it is known. */
  async #recheckName(record: PresenceRecord): Promise<void> {
    const { transport, logger, name, onNameTaken } = this.#options;
    this.#isInDoubt = false;
    const outcome = await recheckName(transport, record).catch(() => 'unknown' as const);
    if (this.#state !== 'joined' || outcome === 'alone') return;
    if (outcome === 'unknown') {
      this.#isInDoubt = true;
      return;
    }
    logger.error({ err: outcome, name }, 'Presence: another program has the unique name of this one, too.');
    onNameTaken(outcome);
  }

  #scheduleRenewal(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(RENEW_MS, () => {
      this.#scheduleRenewal();
      if (!this.#isDenied) void this.#write(this.#record('joined'));
    });
  }

  #record(state: PresenceRecord['state']): PresenceRecord {
    const { host, pid } = thisProgram();
    return {
      name: this.#options.name,
      instance: this.instance,
      state,
      since: this.#since,
      subscribes: listed(this.#used.subscribes),
      publishes: listed(this.#used.publishes),
      host: host.slice(0, 256),
      pid,
      revision: this.#revision,
    };
  }

  /** The link reports its own errors. */
  #onError(error: unknown): void {
    if (this.#state === 'closed' || !(error instanceof TickbusError) || LINK_CODES.has(error.code)) return;
    this.#warnOnce(error);
  }

  #warnOnce(error: TickbusError): void {
    const { logger, name } = this.#options;
    if (this.#loggedCodes.has(error.code)) return;
    this.#loggedCodes.add(error.code);
    logger.warn(
      { err: error, name },
      'Presence cannot be reported, so others may not see this program. Everything else works. ' +
        'Correct the error, or omit the option `name`.',
    );
  }

  async #within(step: Promise<unknown>): Promise<void> {
    const { promise: timedOut, cancel } = timeout(this.#options.clock, DEADLINE_MS);
    await Promise.race([step.catch(() => {}), timedOut]);
    cancel();
  }
}

/** The caller who connects gets the first three, or the link reports them. */
const LINK_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TICKBUS_CONNECT_FAILED',
  'TICKBUS_AUTH_FAILED',
  'TICKBUS_TLS_FAILED',
  'TICKBUS_NOT_CONNECTED',
  'TICKBUS_NOT_SENT',
  'TICKBUS_OUTCOME_UNKNOWN',
  'TICKBUS_CLOSED',
]);
