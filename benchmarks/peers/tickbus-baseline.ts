// tickbus of another checkout (`--baseline DIR`), to measure what a change brings.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus-baseline');
