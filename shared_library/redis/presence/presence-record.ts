// The record of a participant on the server: an entry of the demand on PRESENCE, whose key is the presence as JSON.

import { CHANNELS } from '../channel/bundled-channels.ts';
import { type Presence, presence } from '../channel/schemas/presence.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { DemandOperations } from '../transport/demand-port.ts';
import type { ChannelLinkStatus, LinkStatus } from '../transport/link-status.ts';
import type { Transport } from '../transport/port.ts';

/**
 * A record expires unless it is renewed. `claimed`: a participant that wants its name for itself, and is not there yet.
 * `left` keeps others from taking the end of a participant for a crash.
 */
export interface PresenceRecord extends Omit<Presence, 'state'> {
  readonly state: 'claimed' | 'joined' | 'left';
}

/** Milliseconds after which a record expires, and between two renewals: it survives two that fail. */
export const RECORD_TTL_MS = 2_000;
export const RENEW_MS = 600;

/**
 * The maximum number of records and of last values that are read. Beyond it, only a hostile program can have written
 * them, and reading them would block the event loop.
 */
export const MAX_PARTICIPANTS = 10_000;

/** Identifies a participant among the last values of PRESENCE. */
export function keyOf({ name, instance }: Pick<Presence, 'name' | 'instance'>): string {
  return `${name}/${instance}`;
}

/** Whether the link of PRESENCE is connected again. On a cluster, the links of other channels say nothing about it. */
export function isRestored(status: LinkStatus | ChannelLinkStatus): boolean {
  return status.type === 'connected' && (!('channel' in status) || status.channel === CHANNELS.PRESENCE.name);
}

/** The records of one participant. It has two for a moment while they change; the higher revision counts. */
export class OwnRecord {
  readonly #demand: DemandOperations;
  readonly #clock: Clock;
  #declared = new Set<string>();
  /** When the last accepted record was sent, by the monotonic clock. The server keeps it for longer than from then. */
  #sentAt: number | undefined;

  constructor(transport: Transport, clock: Clock) {
    this.#demand = transport.demand(CHANNELS.PRESENCE);
    this.#clock = clock;
  }

  /**
   * Writes the record, or renews it, for `RECORD_TTL_MS`. Removes its predecessors.
   *
   * @returns whether the one before may have expired meanwhile
   */
  async write(record: PresenceRecord): Promise<boolean> {
    const sentAt = this.#clock.monotonic();
    const key = JSON.stringify(record);
    const outdated = [...this.#declared].filter((other) => other !== key);
    this.#declared.add(key);
    // The server executes them in this order, so the participant always has a record.
    await Promise.all([
      this.#demand.declare(record.instance, [key], RECORD_TTL_MS),
      this.#withdraw(record.instance, outdated),
    ]);
    const acceptedAt = this.#clock.monotonic();
    const hasLapsed = this.#sentAt !== undefined && acceptedAt - this.#sentAt >= RECORD_TTL_MS;
    this.#sentAt = sentAt;
    return hasLapsed;
  }

  remove(instance: string): Promise<void> {
    this.#sentAt = undefined;
    return this.#withdraw(instance, [...this.#declared]);
  }

  /** A record whose removal fails is removed again with the next change, or expires. */
  async #withdraw(instance: string, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#demand.withdraw(instance, keys);
    for (const key of keys) this.#declared.delete(key);
  }
}

/**
 * The unexpired records, one for each instance.
 *
 * @throws TickbusError `TICKBUS_LIMIT_EXCEEDED` above `MAX_PARTICIPANTS`
 */
export async function readRecords(transport: Transport): Promise<PresenceRecord[]> {
  const entries = await transport.demand(CHANNELS.PRESENCE).wanted();
  if (entries.size > MAX_PARTICIPANTS) throw tooManyError(entries.size);
  const byKey = new Map<string, PresenceRecord>();
  for (const entry of entries.keys()) {
    const record = parseRecord(entry);
    if (record === undefined) continue;
    const key = keyOf(record);
    const known = byKey.get(key);
    if (known === undefined || isNewer(record, known)) byKey.set(key, record);
  }
  return [...byKey.values()];
}

function tooManyError(records: number): TickbusError {
  const text =
    `PRESENCE has ${records} records, and at most ${MAX_PARTICIPANTS} are read, so it is unknown who is there. ` +
    'Find the client that writes them; they expire by themselves.';
  return new TickbusError('TICKBUS_LIMIT_EXCEEDED', text);
}

/** Undefined for an entry that tickbus has not written. */
function parseRecord(text: string): PresenceRecord | undefined {
  try {
    const { state, ...rest } = JSON.parse(text) as PresenceRecord;
    if (!STATES.includes(state)) return undefined;
    const { data } = presence.safeParse({ ...rest, state: 'joined' });
    return data && { ...data, state };
  } catch {
    return undefined;
  }
}

/** In the order in which a participant passes through them. */
const STATES: readonly PresenceRecord['state'][] = ['claimed', 'joined', 'left'];

function isNewer(a: PresenceRecord, b: PresenceRecord): boolean {
  return a.revision === b.revision
    ? STATES.indexOf(a.state) > STATES.indexOf(b.state)
    : a.revision > b.revision;
}

/** The maximum size of the names of a list, in bytes of UTF-8: a record fits into the 4 KiB of a demand entry. */
const MAX_LIST_BYTES = 1_200;

/** The names in order. What does not fit is counted: `and 12 more`. */
export function listed(names: Iterable<string>): string[] {
  const sorted = [...names].sort();
  let bytes = 0;
  const end = sorted.findIndex((name) => {
    bytes += utf8.encode(JSON.stringify(name)).length + 1;
    return bytes > MAX_LIST_BYTES;
  });
  return end === -1 ? sorted : [...sorted.slice(0, end), `and ${sorted.length - end} more`];
}

/** Whether a name is listed, or may be among those that did not fit. */
export function mayList(names: readonly string[], name: string): boolean {
  return names.includes(name) || /^and \d+ more$/.test(names.at(-1) ?? '');
}

const utf8 = new TextEncoder();
