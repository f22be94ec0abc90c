// Alpaca feeds against a simulated broker. Both end after each test.

import {
  type SimulatedBroker,
  type SimulatedBrokerOptions,
  startSimulatedBroker,
} from '@tickbus/simulated-broker/broker';
import { afterEach } from 'vitest';
import { type AlpacaFeedOptions, createAlpacaFeed } from '../../feeds/alpaca-feed.ts';
import { CREDENTIALS, ManualMarket } from '../gateway.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

type FeedOptions = Partial<AlpacaFeedOptions> & { readonly symbols?: string[] };

/** Registers a hook that closes them. */
export function useAlpacaBroker() {
  const cleanUps: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });
  const observe = (url: string, options: FeedOptions = {}): ObservedFeed => {
    const { symbols = ['AAPL', 'MSFT'], ...rest } = options;
    const observed = new ObservedFeed(createAlpacaFeed({ url, ...CREDENTIALS, ...rest }), symbols);
    cleanUps.push(() => observed.feed.close());
    return observed;
  };
  return {
    observe,
    async startBroker(options: SimulatedBrokerOptions = {}) {
      const market = new ManualMarket();
      const broker = await startSimulatedBroker({ source: market, ...options });
      cleanUps.push(() => broker.close());
      return { broker, market };
    },
    async live(broker: SimulatedBroker, options?: FeedOptions): Promise<ObservedFeed> {
      const observed = observe(broker.url, options);
      await observed.state('live');
      return observed;
    },
  };
}
