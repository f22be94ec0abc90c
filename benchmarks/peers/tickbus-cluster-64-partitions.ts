// tickbus with the channel split into 64 partitions, on a cluster of three masters.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { partitions: 64, server: 'redis-cluster' });
