// tickbus on a channel with `framing: 'batch'`: a whole batch is one message of Redis.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { inBatches: true });
