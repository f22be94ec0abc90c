// The bundled channels.

import { defineChannel } from './channel.ts';
import { audit } from './schemas/audit.ts';
import { botStatus } from './schemas/bot-status.ts';
import { commandResult } from './schemas/command-result.ts';
import { feedStatus } from './schemas/feed-status.ts';
import { instrumentStatus } from './schemas/instrument-status.ts';
import { price } from './schemas/price.ts';
import { cancelAll, cancelOrder, pause, placeOrder, resume } from './schemas/trade-command.ts';

/** The bundled channels. `` `${CHANNELS.PRICE_DATA}` `` is the name of the Redis channel. */
export const CHANNELS = Object.freeze({
  /** Prices, by symbol. Type `price`. */
  PRICE_DATA: defineChannel('PRICE_DATA', {
    kind: 'state',
    key: 'symbol',
    gateway: true,
    messages: { price },
  }),
  /**
   * Orders and instructions to bots, by bot. Type `place_order`, unless `publish` names another. A command is not delivered once
   * it is 30 s old, unless `publish` says otherwise.
   */
  TRADE_COMMANDS: defineChannel('TRADE_COMMANDS', {
    kind: 'command',
    key: 'bot',
    expiresInMs: 30_000,
    defaultType: 'place_order',
    messages: { place_order: placeOrder, cancel_order: cancelOrder, cancel_all: cancelAll, pause, resume },
  }),
  /**
   * What became of commands, by bot. Type `command_result`; its `command_id` is the `id` of the command. The last 1,000 are kept
   * on the server, to repair a loss.
   */
  COMMAND_RESULTS: defineChannel('COMMAND_RESULTS', {
    kind: 'event',
    key: 'bot',
    history: 1_000,
    messages: { command_result: commandResult },
  }),
  /** How each bot is, by bot. Type `bot_status`. */
  BOT_STATUS: defineChannel('BOT_STATUS', { kind: 'state', key: 'bot', messages: { bot_status: botStatus } }),
  /** How each broker feed is, by feed. Type `feed_status`. */
  FEED_STATUS: defineChannel('FEED_STATUS', {
    kind: 'state',
    key: 'feed',
    messages: { feed_status: feedStatus },
  }),
  /** Whether the feed delivers an instrument, by symbol. Type `instrument_status`. */
  INSTRUMENT_STATUS: defineChannel('INSTRUMENT_STATUS', {
    kind: 'state',
    key: 'symbol',
    messages: { instrument_status: instrumentStatus },
  }),
  /** What people did through the monitor and the command line, the last 1,000 kept. Type `audit`. */
  AUDIT: defineChannel('AUDIT', { kind: 'event', history: 1_000, messages: { audit } }),
});
