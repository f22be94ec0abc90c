// Every kind of feed there is, by the name that the setting FEED takes. A new one is a file and a line here.

import { alpaca } from './alpaca-feed.ts';
import { capture } from './capture-feed.ts';
import { ccxt } from './ccxt-feed.ts';
import type { FeedKind } from './feed-kind.ts';
import { websocket } from './websocket-feed.ts';

export const FEED_KINDS = { alpaca, ccxt, websocket, capture } satisfies Record<string, FeedKind>;
