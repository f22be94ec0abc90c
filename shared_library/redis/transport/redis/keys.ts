// The Redis keys of a channel.

import type { ChannelSpec } from '../../channel/channel.ts';
import { printable } from '../../runtime/printable.ts';

/** The keys of a channel. The hash tag is the name of the channel, so in a cluster they are in its slot. */
export interface ChannelKeys {
  /**
   * A hash with the position, branch (see `LUA_BRANCH`), lease record, batch marks (see `MARK_COUNT`), number of
   * partitions and definition of the channel.
   */
  readonly head: string;
  /** A hash with the last value of each key (kind `state`). */
  readonly last: string;
  /** A stream of past messages (kind `event`). */
  readonly history: string;
  /** A stream of past messages of one key, if the channel has a history by key. */
  historyOf(key: string): string;
  /** A sorted set of the keys that have such a history, by the time of their last message. */
  readonly histories: string;
  /** The token of the lease holder; a nonce during a claim, or `nobody` during a hold-off. */
  readonly lease: string;
  /**
   * A stream with one entry. It exists while the epoch of an exclusive writer is current; every new epoch deletes it.
   */
  fence(epoch: number | string): string;
  /** A sorted set of the keys that subscribers request. */
  readonly demand: string;
  /** The Redis channel that carries batches for tickbus subscribers. Not a key. */
  readonly frames: string;
  /** The outcome of the command with this id, kept while the server remembers the id. */
  id(id: string): string;
}

/** Takes the name of the channel on the server, namespace included. */
export function channelKeys({ name }: Pick<ChannelSpec, 'name'>): ChannelKeys {
  const prefix = `tickbus:{${name}}:`;
  return {
    head: `${prefix}head`,
    last: `${prefix}last`,
    history: `${prefix}history`,
    historyOf: (key) => `${prefix}history:${key}`,
    histories: `${prefix}histories`,
    lease: `${prefix}lease`,
    fence: (epoch) => `${prefix}fence:${epoch}`,
    demand: `${prefix}demand`,
    frames: `${prefix}frames`,
    id: (id) => `${prefix}id:${id}`,
  };
}

/** How to replace the definition at the head of a channel. */
export function definitionAdvice({ name }: Pick<ChannelSpec, 'name'>): string {
  const { head, last, history } = channelKeys({ name });
  const keys = [head, last, history].map((key) => `'${printable(key)}'`).join(' ');
  return `If the recorded definition is out of use, stop its programs and delete what they left: DEL ${keys}.`;
}

/** The command that publishes on a channel, and on a cluster its sister for sharded channels. */
export type PublishCommand = 'PUBLISH' | 'SPUBLISH';

/** Whether a Redis channel carries batches for tickbus subscribers. Names of defined channels contain no braces. */
export function isFramesName(name: string): boolean {
  return /^tickbus:\{.*\}:frames$/.test(name);
}
