// For the tests of `from`: a channel of bars with a history by key, and a bot that begins with stored messages.

import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import type { From } from '../../subscribe/from.ts';
import type { Gap } from '../../subscribe/status.ts';
import type { SubscriberBase } from '../../subscribe/subscriber-base.ts';
import type { Message } from '../../wire/message.ts';

export const bar = z.object({ name: z.string(), n: z.number() });

/** Keeps 250 messages of each key, and `channel` of all. */
export const barsChannel = (name: string, channel = 1_000, partitions?: number) =>
  defineChannel(name, {
    kind: 'event',
    key: 'name',
    history: { perKey: 250, channel },
    messages: { bar },
    ...(partitions !== undefined && { partitions }),
  });

export type BarsChannel = ReturnType<typeof barsChannel>;

/** Records what one subscription gets. */
export class Bot {
  readonly messages: Message<'bar', z.infer<typeof bar>>[] = [];
  readonly gaps: Gap[] = [];
  readonly stop: () => void;

  constructor(
    subscriber: SubscriberBase,
    channel: BarsChannel,
    keys: readonly string[] | undefined,
    from?: From,
    onMessage: () => void = () => {},
  ) {
    subscriber.on('gap', (gap) => this.gaps.push(gap));
    const handler = (message: Bot['messages'][number]) => {
      this.messages.push(message);
      onMessage();
    };
    this.stop = subscriber.subscribe(channel, handler, { keys, from });
  }

  /** The numbers of one key, in order of delivery. */
  numbers(key: string): number[] {
    return this.messages.filter(({ data }) => data.name === key).map(({ data }) => data.n);
  }

  /** The number of messages that came from the history. */
  get stored(): number {
    return this.messages.filter(({ snapshot }) => snapshot).length;
  }
}

/** The whole numbers from `from` to `to`. */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
