// The Redis keys of a channel.

import type { ChannelSpec } from '../../channel/channel.ts';

/** The keys of a channel; the hash tag keeps them in one slot, so that a cluster can follow. */
export interface ChannelKeys {
  /** A hash: position, branch, lease and marks of the channel. */
  readonly head: string;
  readonly last: string;
  readonly history: string;
  readonly lease: string;
  /** A stream of one entry, which exists while the epoch of an exclusive writer is the present one. Every new epoch deletes it. */
  fence(epoch: number | string): string;
  readonly demand: string;
  /** The Redis channel on which our subscribers receive whole batches. Not a key. */
  readonly frames: string;
  id(id: string): string;
}

export function channelKeys({ name }: Pick<ChannelSpec, 'name'>): ChannelKeys {
  const prefix = `tickbus:{${name}}:`;
  return {
    head: `${prefix}head`,
    last: `${prefix}last`,
    history: `${prefix}history`,
    lease: `${prefix}lease`,
    fence: (epoch) => `${prefix}fence:${epoch}`,
    demand: `${prefix}demand`,
    frames: `${prefix}frames`,
    id: (id) => `${prefix}id:${id}`,
  };
}

/** Whether a Redis channel carries our batches. A defined channel has no braces in its name. */
export function isFramesName(name: string): boolean {
  return /^tickbus:\{.*\}:frames$/.test(name);
}
