// tickbus whose publisher does not validate payloads, as node-redis does not.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { validates: false });
