// The messages that the demo handles, by name.

import type { MessageOf } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';

export type PriceMessage = MessageOf<typeof CHANNELS.PRICE_DATA>;
export type CommandMessage = MessageOf<typeof CHANNELS.TRADE_COMMANDS>;
