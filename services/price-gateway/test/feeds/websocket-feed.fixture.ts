// Starts replay servers and WebSocket feeds, and closes them after each test.

import { afterEach } from 'vitest';
import { createWebSocketFeed, type WebSocketFeedOptions } from '../../feeds/websocket-feed.ts';
import { ReplayServer, type VenueProtocol } from '../replay/replay-server.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

/** Run in reverse order after each test. */
export const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

export async function startServer(protocol: VenueProtocol): Promise<ReplayServer> {
  const server = await ReplayServer.start(protocol);
  cleanUps.push(() => server.close());
  return server;
}

export function observe(options: WebSocketFeedOptions, symbols: readonly string[]): ObservedFeed {
  const observed = new ObservedFeed(createWebSocketFeed(options), symbols);
  cleanUps.push(() => observed.feed.close());
  return observed;
}
