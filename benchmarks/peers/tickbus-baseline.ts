// tickbus of another checkout (`--baseline DIR`), to measure the effect of a change.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus-baseline');
