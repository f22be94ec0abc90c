// The subscriptions of a bot, in words for its status, and how many messages wait for them.

import type { Channel } from '../channel/channel.ts';
import type { RedisSubscriber } from '../subscriber.ts';

const MAX_LENGTH = 200;

export class SubscriptionList {
  readonly #subscriber: Pick<RedisSubscriber, 'status'>;
  readonly #byChannel = new Map<Channel, string[]>();

  constructor(subscriber: Pick<RedisSubscriber, 'status'>) {
    this.#subscriber = subscriber;
  }

  /** @param filter the selected keys or types; undefined: all */
  add(channel: Channel, filter: readonly string[] | undefined): void {
    const description = filter === undefined ? `${channel}` : `${channel}: ${cutOff(filter.join(', '))}`;
    this.#byChannel.set(channel, [...(this.#byChannel.get(channel) ?? []), description]);
  }

  descriptions(commands: Channel, types: readonly string[]): string[] {
    return [`${commands}: ${cutOff(types.join(', '))}`, ...[...this.#byChannel.values()].flat()];
  }

  /** Messages that wait for handlers. */
  backlog(commands: Channel): number {
    const channels = new Set<Channel>([commands, ...this.#byChannel.keys()]);
    const depths = [...channels].map((channel) => this.#subscriber.status(channel)?.queueDepth ?? 0);
    return depths.reduce((sum, depth) => sum + depth, 0);
  }
}

function cutOff(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text;
}
