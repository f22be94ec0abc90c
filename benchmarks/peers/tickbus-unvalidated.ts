// tickbus whose publisher does not validate, as no plain client does.

import { tickbusPeer } from './tickbus-library.ts';

export const peer = tickbusPeer('tickbus', { validate: false });
