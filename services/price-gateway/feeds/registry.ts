// Every kind of feed there is, by the name that the setting FEED takes. A new one is a file and a line here.

import { alpaca } from './alpaca.ts';
import { capture } from './capture.ts';
import { ccxt } from './ccxt.ts';
import type { FeedKind } from './feed-kind.ts';
import { websocket } from './websocket.ts';

export const FEED_KINDS = { alpaca, ccxt, websocket, capture } satisfies Record<string, FeedKind>;
