// Reads a channel in chunks, so that no read blocks the server, the link or other clients for long.

import type { ChannelSpec } from '../../channel/channel.ts';
import { TickbusError } from '../../errors.ts';
import { ORIGIN, type Position } from '../../wire/position.ts';
import { cancelledError } from '../cancelled-error.ts';
import type { ChannelState, ReadOptions } from '../port.ts';
import { channelKeys } from './keys.ts';
import { parseLease } from './parse-lease.ts';

/** Runs `READ_CHANNEL`. */
export type RunRead = (keys: readonly string[], args: readonly string[]) => Promise<unknown>;

/** The reply of `READ_CHANNEL`. */
type Chunk = [
  epoch: Buffer,
  seq: Buffer,
  at: Buffer,
  entries: Buffer[],
  isForgotten: number,
  lease: Buffer,
  next: Buffer,
  partitions: Buffer,
  definition: Buffer,
  firstKey: Buffer,
];

/** Number of messages in the first chunk. The number doubles after a quick reply, and halves after a slow reply. */
const FIRST_CHUNK = 500;
const MIN_CHUNK = 16;
/** Below the number of values that Lua can unpack (about 8,000). */
const MAX_CHUNK = 4_000;
const QUICK_MS = 25;
const SLOW_MS = 100;
/** Attempts of a read. An attempt fails if the epoch changes during it. */
const MAX_ATTEMPTS = 3;

/**
 * The first chunk determines the returned position. Later chunks omit messages above it; see `Transport.read`.
 *
 * @throws TickbusError `TICKBUS_SERVER_ERROR` if the epoch changes during each of three attempts
 */
export async function readChannel(
  run: RunRead,
  channel: ChannelSpec,
  since: Position = ORIGIN,
  { keys, signal }: ReadOptions = {},
): Promise<ChannelState> {
  const wanted = keys && [...keys];
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const state = await readOnce(run, channel, since, wanted, signal);
    if (state !== undefined) return state;
  }
  throw new TickbusError(
    'TICKBUS_SERVER_ERROR',
    `The epoch of ${channel.name} changed during each of ${MAX_ATTEMPTS} reads, so its stored messages were not read. ` +
      'Check what resets the channel; the read can be retried.',
  );
}

/** Resolves with undefined if the epoch changes, or the top sequence number decreases, between two chunks. */
async function readOnce(
  run: RunRead,
  channel: ChannelSpec,
  since: Position,
  wanted: readonly string[] | undefined,
  signal: AbortSignal | undefined,
): Promise<ChannelState | undefined> {
  const { head, last, history, lease } = channelKeys(channel);
  let state: (ChannelState & { readonly entries: Buffer[] }) | undefined;
  let [cursor, count, sent] = ['', FIRST_CHUNK, 0];
  for (;;) {
    if (signal?.aborted) throw cancelledError(channel);
    const some = wanted?.slice(sent, sent + count) ?? [];
    const upTo = state === undefined ? '' : String(state.position.seq);
    const mode = wanted === undefined ? 'all' : 'keys';
    const args = [
      channel.kind,
      String(since.epoch),
      String(since.seq),
      cursor,
      String(count),
      upTo,
      mode,
      ...some,
    ];
    const sentAt = performance.now();
    const chunk = (await run([head, last, history, lease], args)) as Chunk;
    const tookMs = performance.now() - sentAt;
    const position = { epoch: Number(chunk[0]), seq: Number(chunk[1]) };
    if (state === undefined) state = stateOf(position, chunk);
    else if (position.epoch !== state.position.epoch || position.seq < state.position.seq) return undefined;
    else for (const entry of chunk[3]) state.entries.push(entry);
    sent += some.length;
    cursor = String(chunk[6]);
    if (cursor === '' || (cursor === 'keys' && sent >= (wanted?.length ?? 0))) return state;
    if (tookMs < QUICK_MS) count = Math.min(count * 2, MAX_CHUNK);
    else if (tookMs > SLOW_MS) count = Math.max(Math.round(count / 2), MIN_CHUNK);
  }
}

function stateOf(position: Position, chunk: Chunk) {
  const [, , at, entries, isForgotten, holder, , partitions, definition, firstKey] = chunk;
  return {
    position,
    at: Number(at),
    entries,
    isForgotten: isForgotten === 1,
    ...parseLease(String(holder)),
    ...(partitions.length === 0 ? {} : { partitions: Number(partitions) }),
    ...(definition.length === 0 ? {} : { definition: String(definition) }),
    ...(firstKey.length === 0 ? {} : { firstKey: String(firstKey) }),
  };
}
