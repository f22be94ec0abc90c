// ioredis pub/sub as in its README.
// Source: https://github.com/redis/ioredis#pubsub

import { ioredisPeer } from './ioredis-client.ts';

export const peer = ioredisPeer();
