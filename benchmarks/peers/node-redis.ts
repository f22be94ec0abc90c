// node-redis pub/sub as in its README. The client pipelines the commands of one event loop turn; a subscriber has a
// separate connection.

import { nodeRedisPeer } from './node-redis-client.ts';

export const peer = nodeRedisPeer({ validates: true });
