// tickbus while a plain client is listening, so that every message is published separately.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { besidePlainClient: true });
