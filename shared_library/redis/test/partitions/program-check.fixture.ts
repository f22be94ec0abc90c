// What must hold after a random program.

import { partitionOf } from '../../channel/partitions.ts';
import type { Position } from '../../wire/position.ts';
import type { Sent, TimedGap, World } from './program-world.fixture.ts';

/** What must hold, whatever happened. */
export function check(world: World): string[] {
  const { options, sent, seen, gaps, wire } = world;
  const problems: string[] = [];
  const of = new Map(sent.map((one) => [one.n, one]));
  const handled = new Set<number>();
  const newest = new Map<string, number>();
  for (const { n, key, sender, snapshot } of seen) {
    const one = of.get(n);
    if (one === undefined || one.key !== key || one.sender !== sender) problems.push(`${n} was never sent`);
    else if (!isMaybe(one)) problems.push(`${n} of ${sender} was received, and reported as ${one.outcome}`);
    if (handled.has(n)) problems.push(`${n} was received twice${snapshot ? ' (snapshot)' : ''}`);
    handled.add(n);
    const before = newest.get(key) ?? 0;
    if (n < before) problems.push(`${key}: ${n} after ${before}${snapshot ? ' (snapshot)' : ''}`);
    newest.set(key, n);
  }
  const onWire = new Set<number>();
  const writers = new Map<string, string>();
  const tops = new Map<string, Position>();
  for (const { n, channel, at } of wire) {
    const one = of.get(n);
    if (one !== undefined && !isMaybe(one))
      problems.push(`${n} was on the wire, and reported as ${one.outcome}`);
    if (onWire.has(n)) problems.push(`${n} was on the wire twice`);
    onWire.add(n);
    const writer = `${channel} ${at.epoch}`;
    if (one !== undefined && (writers.get(writer) ?? one.sender) !== one.sender)
      problems.push(`${writer} has the writers ${writers.get(writer)} and ${one.sender}`);
    writers.set(writer, one?.sender ?? '');
    const top = tops.get(channel);
    if (top !== undefined && (at.epoch < top.epoch || (at.epoch === top.epoch && at.seq <= top.seq)))
      problems.push(`${channel}: ${at.epoch}-${at.seq} on the wire after ${top.epoch}-${top.seq}`);
    tops.set(channel, at);
    if (one?.position !== undefined && (one.position.epoch !== at.epoch || one.position.seq !== at.seq))
      problems.push(
        `${n} is at ${at.epoch}-${at.seq} on the wire, and reported at ${one.position.epoch}-${one.position.seq}`,
      );
  }
  for (const one of sent) if (one.outcome === undefined) problems.push(`${one.n} has no outcome`);
  if (options.kind === 'event') {
    for (const one of sent) {
      if (
        one.outcome !== 'published' ||
        handled.has(one.n) ||
        isReported(one, gaps, options.counts.length > 1)
      )
        continue;
      const { n, key, count, position, at } = one;
      const near = gaps.filter((gap) => gap.at > at - 3_000).slice(0, 4);
      problems.push(
        `${n} of ${key} (${partitionOf(key, count)}/${count}, ${position?.epoch}-${position?.seq}) was lost silently; ${JSON.stringify(near)}`,
      );
    }
  }
  return problems.slice(0, 12);
}

function isMaybe({ outcome }: Sent): boolean {
  return outcome === 'published' || outcome === 'TICKBUS_OUTCOME_UNKNOWN' || outcome === undefined;
}

function isReported(
  { position, partition, at }: Sent,
  gaps: readonly TimedGap[],
  isChanging: boolean,
): boolean {
  return gaps.some((gap) => {
    if (gap.repaired || position === undefined || gap.at < at) return false;
    if (isChanging && gap.cause === 'epoch') return true;
    if (gap.partition !== partition || gap.epoch === undefined || gap.from === undefined) return false;
    if (gap.to !== undefined)
      return gap.epoch === position.epoch && gap.from <= position.seq && position.seq <= gap.to;
    return gap.epoch < position.epoch || (gap.epoch === position.epoch && gap.from <= position.seq);
  });
}
