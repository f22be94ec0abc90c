// tickbus as it is where a plain client may listen: each message goes out by itself.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { besidePattern: true });
