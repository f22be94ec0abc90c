// ioredis, as its README shows pub/sub.
// Source: https://github.com/redis/ioredis#pubsub

import { ioredisPeer } from './ioredis-client.ts';

export const peer = ioredisPeer();
