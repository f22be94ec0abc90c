// node-redis whose receiver only parses and validates nothing: the bar for tickbus' cost a received message.

import { nodeRedisPeer } from './node-redis-client.ts';

export const peer = nodeRedisPeer({ validates: false });
