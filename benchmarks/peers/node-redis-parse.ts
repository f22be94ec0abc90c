// node-redis with a receiver that parses but does not validate, to compare the CPU time per received message.

import { nodeRedisPeer } from './node-redis-client.ts';

export const peer = nodeRedisPeer({ validates: false });
