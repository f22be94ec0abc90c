// tickbus as a desk uses it: the bundled PRICE_DATA channel, every message numbered and kept as the last value of its instrument.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus');
