// ioredis with the option that its README offers for throughput.
// Source: https://github.com/redis/ioredis#autopipelining

import { ioredisPeer } from './ioredis-client.ts';

export const peer = ioredisPeer({ enableAutoPipelining: true });
