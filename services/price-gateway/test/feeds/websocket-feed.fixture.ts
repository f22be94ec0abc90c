// Starts replay servers and WebSocket feeds, and closes them after each test.

import { onTestFinished } from 'vitest';
import { createWebSocketFeed, type WebSocketFeedOptions } from '../../feeds/websocket-feed.ts';
import { ReplayServer, type VenueProtocol } from '../replay/replay-server.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

export async function startServer(protocol: VenueProtocol): Promise<ReplayServer> {
  const server = await ReplayServer.start(protocol);
  onTestFinished(() => server.close());
  return server;
}

export function observe(options: WebSocketFeedOptions, symbols: readonly string[]): ObservedFeed {
  const observed = new ObservedFeed(createWebSocketFeed(options), symbols);
  onTestFinished(() => observed.feed.close());
  return observed;
}
