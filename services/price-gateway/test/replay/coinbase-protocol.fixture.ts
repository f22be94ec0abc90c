// The protocol of Coinbase Exchange. Source: docs.cdp.coinbase.com, "Exchange WebSocket".

import type { VenueProtocol } from './replay-server.fixture.ts';

/** The channel of each type of frame. */
const CHANNELS: Readonly<Record<string, string>> = {
  ticker: 'ticker',
  match: 'matches',
  last_match: 'matches',
  l2update: 'level2',
  snapshot: 'level2',
};

interface CoinbaseRequest {
  readonly type: string;
  readonly product_ids: readonly string[];
  readonly channels: readonly string[];
}

/** @param products the existing products */
export function coinbaseProtocol(products: readonly string[]): VenueProtocol {
  return {
    answer(message, subscriptions) {
      const { type, product_ids, channels } = message as CoinbaseRequest;
      const unknown = product_ids.find((product) => !products.includes(product));
      if (unknown !== undefined) {
        return [
          { type: 'error', message: 'Failed to subscribe', reason: `${unknown} is not a valid product` },
        ];
      }
      for (const topic of channels.flatMap((channel) =>
        product_ids.map((product) => `${channel}:${product}`),
      )) {
        if (type === 'subscribe') subscriptions.add(topic);
        else subscriptions.delete(topic);
      }
      return [{ type: 'subscriptions', channels: listed(subscriptions) }];
    },
    topicOf(frame) {
      const { type = '', product_id } = frame as { type?: string; product_id?: string };
      const channel = CHANNELS[type];
      return channel && product_id && `${channel}:${product_id}`;
    },
  };
}

function listed(subscriptions: ReadonlySet<string>): object[] {
  const pairs = [...subscriptions].map((topic) => topic.split(':'));
  const names = [...new Set(pairs.map(([name]) => name))];
  return names.map((name) => ({
    name,
    product_ids: pairs.filter(([one]) => one === name).map(([, product]) => product),
  }));
}
