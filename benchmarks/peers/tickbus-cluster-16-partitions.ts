// tickbus with the channel split into 16 partitions, on a cluster of three masters.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { partitions: 16, server: 'redis-cluster' });
