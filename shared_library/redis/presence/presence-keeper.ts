// Keeps the last values of PRESENCE equal to the records of the participants. One participant at a time does this.

import { CHANNELS } from '../channel/bundled-channels.ts';
import { jobSpec } from '../channel/channel.ts';
import { type Presence, presence } from '../channel/schemas/presence.ts';
import { TickbusError } from '../errors.ts';
import { LeaseBase } from '../lease/lease-base.ts';
import type { PublisherBase } from '../publish/publisher-base.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Transport } from '../transport/port.ts';
import type { Position } from '../wire/position.ts';
import { isRestored, keyOf, MAX_PARTICIPANTS, type PresenceRecord, readRecords } from './presence-record.ts';

export interface PresenceKeeperOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly publisher: Pick<PublisherBase, 'publish'>;
  /** Called if the job cannot be done. If the user lacks a permission, another participant does it. */
  readonly onRefused: (error: TickbusError) => void;
}

/** The colon keeps it apart from the jobs of programs. */
const JOB = 'tickbus:presence';
/**
 * Milliseconds after which the lease of a crashed keeper expires. The record of a participant that crashes with it
 * expires later, so the next keeper reports both in time. Candidates try again when the lease may have expired.
 */
const LEASE_TTL_MS = 1_500;
const SWEEP_MS = 400;
/**
 * Milliseconds after a new connection for which the keeper reports nobody as gone. After a restart or a failover that
 * kept the last values, all records have expired, and the links of the others need up to a second to be back.
 */
export const RETURN_MS = 1_200;
/** The maximum number of messages that one sweep publishes. The next one publishes the others. */
const MAX_CHANGES = 1_000;

/**
 * The keeper publishes what the participants could not: `gone` for those that crashed, hang or have no link; `joined`
 * for those that are back, or whose last value the server has lost; `left` for those that ended without a link. Every
 * participant is a candidate. All messages can be repeated without harm.
 */
export class PresenceKeeper {
  readonly #options: PresenceKeeperOptions;
  readonly #lease: LeaseBase;
  #cancelSweep: Unsubscribe = () => {};
  #unwatchLink: Unsubscribe = () => {};
  /** By the monotonic clock. */
  #connectedAt = 0;
  #readAt: Position | undefined;
  #values: ReadonlyMap<string, Presence> = new Map();

  constructor(options: PresenceKeeperOptions) {
    const { transport, clock, logger } = options;
    this.#options = options;
    this.#lease = new LeaseBase({
      name: JOB,
      spec: jobSpec(JOB),
      isChannel: false,
      // Two keepers do no harm, so no replica has to confirm the lease.
      replicas: 0,
      transport,
      clock,
      logger: quiet(logger),
      ttlMs: LEASE_TTL_MS,
      retryMs: LEASE_TTL_MS,
    });
    this.#lease.on('gained', () => this.#sweep());
    this.#lease.on('lost', () => this.#cancelSweep());
  }

  /** Called when the link is connected. */
  start(): void {
    const { transport, clock } = this.#options;
    this.#connectedAt = clock.monotonic();
    this.#unwatchLink = transport.onStatus((status) => {
      if (isRestored(status)) this.#connectedAt = clock.monotonic();
    });
    const onError = (err: unknown) => this.#options.logger.debug({ err }, 'Presence: no lease.');
    this.#lease.start().catch(onError);
  }

  close(): Promise<void> {
    this.#cancelSweep();
    this.#unwatchLink();
    return this.#lease.close();
  }

  #sweep(): void {
    this.#reconcile()
      .catch((error: unknown) => this.#onError(error))
      .finally(() => {
        this.#cancelSweep();
        this.#cancelSweep = this.#options.clock.after(SWEEP_MS, () => this.#lease.holds && this.#sweep());
      });
  }

  /** Without permissions, this participant must not keep the lease from those that have them. */
  #onError(error: unknown): void {
    const { logger, onRefused } = this.#options;
    const code = error instanceof TickbusError ? error.code : undefined;
    if (code === 'TICKBUS_DENIED') void this.close();
    if (code === 'TICKBUS_DENIED' || code === 'TICKBUS_LIMIT_EXCEEDED') onRefused(error as TickbusError);
    else logger.debug({ err: error }, 'Presence: a sweep failed; it is repeated.');
  }

  /** Reads values before records: a participant writes its record first, so a value without a record is outdated. */
  async #reconcile(): Promise<void> {
    const values = await this.#readValues();
    const records = await readRecords(this.#options.transport);
    // A process that was suspended during the reads knows nothing about the present.
    if (!this.#lease.holds) return;
    const mayReturn = this.#options.clock.monotonic() - this.#connectedAt < RETURN_MS;
    const changes = differences(values, records).filter(({ state }) => state !== 'gone' || !mayReturn);
    const next = changes.slice(0, MAX_CHANGES);
    await Promise.all(next.map((value) => this.#publish(value)));
  }

  #publish(value: Presence): Promise<unknown> {
    const { publisher } = this.#options;
    return publisher.publish(CHANNELS.PRESENCE, value, { endsKey: value.state !== 'joined' });
  }

  async #readValues(): Promise<ReadonlyMap<string, Presence>> {
    const { transport } = this.#options;
    const { position } = await transport.head(CHANNELS.PRESENCE);
    if (position.epoch === this.#readAt?.epoch && position.seq === this.#readAt.seq) return this.#values;
    const state = await transport.read(CHANNELS.PRESENCE);
    const entries = state.entries.slice(0, MAX_PARTICIPANTS);
    const values = entries.map(parseValue).filter((value) => value !== undefined);
    this.#values = new Map(values.map((value) => [keyOf(value), value]));
    this.#readAt = state.position;
    return this.#values;
  }
}

/** What has to be published so that the last values are those of the records. */
export function differences(
  values: ReadonlyMap<string, Presence>,
  records: readonly PresenceRecord[],
): Presence[] {
  const present = new Map(records.map((record) => [keyOf(record), record]));
  const missing = records.flatMap((record): Presence[] => {
    const { state } = record;
    const known = values.get(keyOf(record));
    if (state === 'joined')
      return known === undefined || known.revision < record.revision ? [{ ...record, state }] : [];
    return state === 'left' && known !== undefined ? [{ ...record, state }] : [];
  });
  const gone = [...values.values()]
    .filter((value) => !present.has(keyOf(value)))
    .map((value): Presence => ({ ...value, state: 'gone' }));
  return [...missing, ...gone];
}

/** Undefined for a value that another program has stored. */
function parseValue(entry: Uint8Array): Presence | undefined {
  try {
    const { data } = JSON.parse(new TextDecoder().decode(entry)) as { data?: unknown };
    return presence.safeParse(data).data;
  } catch {
    return undefined;
  }
}

/** The loss of this lease is no event for the user. */
function quiet(logger: Logger): Logger {
  const debug: Logger['debug'] = (fields, message) => logger.debug(fields, message);
  return { debug, info: debug, warn: debug, error: debug };
}
