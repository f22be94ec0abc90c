// tickbus as the gateway uses it: the bundled PRICE_DATA channel, published under its lease. Every message is numbered
// and kept as the last value of its instrument.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus');
