// tickbus with a second handler on the same subscriber that takes its first message and never returns.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { besideStalled: true });
