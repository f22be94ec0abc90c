// tickbus with the channel split into 16 partitions.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { partitions: 16 });
