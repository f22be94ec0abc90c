// tickbus with the channel split into 64 partitions.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { partitions: 64 });
