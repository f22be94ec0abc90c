// The Redis keys of a channel.

import type { ChannelSpec } from '../../channel/channel.ts';

/** The keys of a channel. The hash tag keeps them in one slot of a cluster. */
export interface ChannelKeys {
  /** A hash with the position, branch, lease record and marks of the channel. */
  readonly head: string;
  readonly last: string;
  readonly history: string;
  readonly lease: string;
  /**
   * A stream with one entry. It exists while the epoch of an exclusive writer is current; every new epoch deletes it.
   */
  fence(epoch: number | string): string;
  readonly demand: string;
  /** The Redis channel that carries batches for tickbus subscribers. Not a key. */
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

/** Whether a Redis channel carries batches for tickbus subscribers. Names of defined channels contain no braces. */
export function isFramesName(name: string): boolean {
  return /^tickbus:\{.*\}:frames$/.test(name);
}
