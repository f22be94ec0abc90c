// The partitions of a channel as channels of their own.

import type { Channel, ChannelSpec } from './channel.ts';
import { partitionName } from './partitions.ts';

const known = new WeakMap<ChannelSpec, Map<number, readonly ChannelSpec[]>>();

/** The specs of the partitions of a channel; the channel itself if it has one. Specs are created once. */
export function partitionSpecs(channel: ChannelSpec, partitions: number): readonly ChannelSpec[] {
  if (partitions === 1) return [channel];
  const layouts = known.get(channel) ?? new Map<number, readonly ChannelSpec[]>();
  known.set(channel, layouts);
  let specs = layouts.get(partitions);
  if (specs === undefined) {
    const { name, kind, history, historyPerKey, framing = 'message', definition } = channel;
    specs = Array.from({ length: partitions }, (_, index) =>
      Object.freeze({
        name: partitionName(name, index, partitions),
        kind,
        history,
        historyPerKey,
        framing,
        layout: partitions,
        definition,
      }),
    );
    layouts.set(partitions, specs);
  }
  return specs;
}

/** A partition as a channel: the same messages, under its own name. */
export function partitionChannel(channel: Channel, index: number, partitions: number): Channel {
  const { messages, defaultType, expiresInMs, gateway, maxQuietMs, adopt, answers, keyed, framing } = channel;
  const spec = { ...(partitionSpecs(channel, partitions)[index] as ChannelSpec), framing };
  return {
    ...spec,
    messages,
    defaultType,
    expiresInMs,
    gateway,
    maxQuietMs,
    adopt,
    answers,
    keyed,
    partitions,
    keyOf: (data) => channel.keyOf(data),
    toString: () => spec.name,
  };
}
