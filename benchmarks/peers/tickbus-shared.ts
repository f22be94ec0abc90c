// tickbus without a lease: any number of publishers may write to the channel, so the server numbers every message.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { writer: 'shared' });
