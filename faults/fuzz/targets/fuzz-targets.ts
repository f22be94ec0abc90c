// All fuzz targets.

import type { FuzzTarget } from '../target.ts';
import { address } from './fuzz-address.ts';
import { subscriber } from './fuzz-subscriber.ts';
import { capture, mapping } from './venues.ts';
import { envelope, frame } from './wire.ts';

export const TARGETS: readonly FuzzTarget[] = [envelope, frame, subscriber, capture, mapping, address];
