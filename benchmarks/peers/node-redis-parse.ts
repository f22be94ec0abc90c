// node-redis with a receiver that parses but does not validate: the bar for the CPU of tickbus per received message.

import { nodeRedisPeer } from './node-redis-client.ts';

export const peer = nodeRedisPeer({ validates: false });
