// ioredis with auto-pipelining, which its README recommends for throughput.
// Source: https://github.com/redis/ioredis#autopipelining

import { ioredisPeer } from './ioredis-client.ts';

export const peer = ioredisPeer({ enableAutoPipelining: true });
