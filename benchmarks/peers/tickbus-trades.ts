// tickbus with trades in place of prices: the server keeps a history of each instrument.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { events: 'trades' });
