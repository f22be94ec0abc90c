// Claims a name, so that only one program has it. Uses the records of participants and no lock.

import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { printable } from '../runtime/printable.ts';
import { timeout } from '../runtime/timeout.ts';
import type { Transport } from '../transport/port.ts';
import { type OwnRecord, type PresenceRecord, RECORD_TTL_MS, readRecords } from './presence-record.ts';

/** Milliseconds for which a claim waits for the record of a crashed predecessor to expire. */
const CLAIM_MS = RECORD_TTL_MS + 400;
/** Milliseconds between two attempts of a program that has withdrawn its claim, and of one that holds it. */
const RETRY_MS = 150;
const RECHECK_MS = 50;

/**
 * Resolves when no other program has the name. The caller then has a record with a claim, and keeps it.
 *
 * A program wins if it has a claim and then reads no record of another. Of two programs, the one that reads last sees
 * the other, so at most one wins. Of two claims that see each other, the one with the smaller instance stays.
 *
 * @throws TickbusError `TICKBUS_NAME_TAKEN`; or an error of the transport. The claim is withdrawn then
 */
export async function claimName(
  transport: Transport,
  clock: Clock,
  own: OwnRecord,
  record: PresenceRecord,
): Promise<void> {
  const endsAt = clock.monotonic() + CLAIM_MS;
  try {
    for (;;) {
      await own.write({ ...record, state: 'claimed' });
      const others = await readOthers(transport, record);
      const [holder] = others;
      if (holder === undefined) return;
      if (clock.monotonic() >= endsAt) throw nameTaken(holder);
      const stays = others.every((other) => other.state === 'claimed' && other.instance > record.instance);
      if (!stays) await own.remove(record.instance);
      await timeout(clock, stays ? RECHECK_MS : RETRY_MS).promise;
    }
  } catch (error) {
    await own.remove(record.instance).catch(() => {});
    throw error;
  }
}

/**
 * Whether a program still has the name that it has claimed, after its record was missing: `unknown` while another one
 * claims the name. The caller has written its record again, so of two programs that check, one sees the other.
 *
 * @returns the error to report if another program has the name, too
 */
export async function recheckName(
  transport: Transport,
  record: PresenceRecord,
): Promise<TickbusError | 'alone' | 'unknown'> {
  const [holder] = await readOthers(transport, record);
  if (holder === undefined) return 'alone';
  if (holder.state === 'claimed') return 'unknown';
  const text =
    `Two programs have the name "${printable(holder.name, 128)}": this one, and ${inWords(holder)}. The record of this ` +
    'one was missing, because it hung, or its link or Redis was down, so the other could start. Stop one of them.';
  return new TickbusError('TICKBUS_NAME_TAKEN', text, { field: 'name' });
}

/** @throws TickbusError `TICKBUS_NAME_TAKEN` if another program has the name now */
export async function requireOnlyOne(transport: Transport, record: PresenceRecord): Promise<void> {
  const [holder] = await readOthers(transport, record);
  if (holder !== undefined) throw nameTaken(holder);
}

/** Those that have the name or claim it; the former come first. */
async function readOthers(
  transport: Transport,
  { name, instance }: PresenceRecord,
): Promise<PresenceRecord[]> {
  const records = await readRecords(transport);
  return records
    .filter((other) => other.name === name && other.instance !== instance && other.state !== 'left')
    .sort((a, b) => Number(a.state === 'claimed') - Number(b.state === 'claimed') || a.since - b.since);
}

function nameTaken(holder: PresenceRecord): TickbusError {
  const text = `The name "${printable(holder.name, 128)}" is taken, so nothing was started: ${inWords(holder)}. Stop that program, or omit \`uniqueName\` to run several of one name.`;
  return new TickbusError('TICKBUS_NAME_TAKEN', text, { field: 'name' });
}

function inWords({ instance, since, host, pid }: PresenceRecord): string {
  const process = `process ${pid} on ${printable(host, 64)}, instance ${printable(instance, 64)}`;
  return `${process}, has it since ${new Date(since).toISOString()}`;
}
