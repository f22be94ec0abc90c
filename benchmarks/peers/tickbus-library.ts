// A participant made of the tickbus library, of this checkout or another.

import type * as channels from 'tickbus';
import type * as constants from 'tickbus/constants';
import type * as publishing from 'tickbus/publisher';
import type * as subscribing from 'tickbus/subscriber';
import { book } from '../book.ts';
import type { ChannelName, Payload, Peer } from './peer.ts';

interface Variation {
  /** Whether another handler of the same subscriber takes its first message and never comes back. */
  readonly besideStalled?: boolean;
  /** Whether a plain client listens to something else by a pattern, so that each message goes out by itself. */
  readonly besidePattern?: boolean;
  /** Whether channels are framed in batches. */
  readonly inBatches?: boolean;
  /** Whether the publisher checks payloads; default true. */
  readonly validate?: boolean;
}

/** @param library the package: `tickbus`, or `tickbus-baseline` */
export function tickbusPeer(
  library: string,
  { besideStalled = false, besidePattern = false, inBatches = false, validate = true }: Variation = {},
): Peer {
  return {
    server: 'redis',

    async publisher(server, name) {
      const { RedisPublisher } = (await import(`${library}/publisher`)) as typeof publishing;
      const channel = await channelOf(library, name, inBatches);
      const publisher = new RedisPublisher({ ...server, sender: 'gateway', validate });
      await publisher.connect();
      return {
        publish: (payload) => publisher.publish(channel, payload),
        close: () => publisher.close(),
      };
    },

    async subscriber(server, name, onPayload) {
      const { RedisSubscriber } = (await import(`${library}/subscriber`)) as typeof subscribing;
      const channel = await channelOf(library, name, inBatches);
      const subscriber = new RedisSubscriber(server);
      subscriber.subscribe(channel, (message) => {
        if (!message.snapshot) onPayload(message.data as Payload, message.conflated ?? 0);
      });
      if (besideStalled) subscriber.subscribe(channel, () => new Promise<void>(() => {}));
      subscriber.on('gap', (gap) => console.error('tickbus reports a gap:', gap));
      await subscriber.startListening();
      const plain = besidePattern
        ? await (await import('./node-redis-client.ts')).connected(server)
        : undefined;
      await plain?.pSubscribe('elsewhere.*', () => {});
      return {
        close: async () => {
          await plain?.close();
          await subscriber.close({ timeoutMs: 0 });
        },
      };
    },
  };
}

async function channelOf(library: string, name: ChannelName, inBatches: boolean): Promise<channels.Channel> {
  const { CHANNELS } = (await import(`${library}/constants`)) as typeof constants;
  const { defineChannel } = (await import(library)) as typeof channels;
  const framing = inBatches ? 'batch' : 'message';
  const { price } = CHANNELS.PRICE_DATA.messages;
  if (name === 'book')
    return defineChannel('BOOKS', { kind: 'state', key: 'symbol', framing, messages: { book } });
  if (!inBatches) return CHANNELS.PRICE_DATA;
  return defineChannel('PRICES_IN_BATCHES', { kind: 'state', key: 'symbol', framing, messages: { price } });
}
