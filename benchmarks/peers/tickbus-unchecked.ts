// tickbus with a publisher that does not validate payloads. node-redis does not validate them either.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { validates: false });
