// node-redis pub/sub as in its README. The client pipelines the commands of one tick; a subscriber has its own
// connection.

import { nodeRedisPeer } from './node-redis-client.ts';

export const peer = nodeRedisPeer({ validates: true });
