// node-redis, as its README shows pub/sub: commands of one tick are pipelined by the client; a subscriber has its own connection.

import { nodeRedisPeer } from './node-redis-client.ts';

export const peer = nodeRedisPeer({ validates: true });
