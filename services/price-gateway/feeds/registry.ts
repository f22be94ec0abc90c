// All kinds of feeds by their value of the setting FEED. To add one, write its file and add a line here.

import { alpaca } from './alpaca-feed.ts';
import { capture } from './capture-feed.ts';
import { ccxt } from './ccxt-feed.ts';
import type { FeedKind } from './feed-kind.ts';
import { websocket } from './websocket-feed.ts';

export const FEED_KINDS = { alpaca, ccxt, websocket, capture } satisfies Record<string, FeedKind>;
