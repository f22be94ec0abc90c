// The bundled channels.

import { defineChannel } from './channel.ts';
import { audit } from './schemas/audit.ts';
import { botStatus } from './schemas/bot-status.ts';
import { feedStatus } from './schemas/feed-status.ts';
import { instrumentStatus } from './schemas/instrument-status.ts';
import { presence } from './schemas/presence.ts';
import { COMMAND_RESULTS, tradeCommands } from './trade-commands.ts';
import { barChannel, priceChannel, tradeChannel } from './venue-channels.ts';

const PRICE_DATA = priceChannel();

/** In a template string, as in `` `${CHANNELS.PRICE_DATA}` ``, a channel is its Redis name. */
export const CHANNELS = Object.freeze({
  /** Prices. Key: symbol. Type `price`. */
  PRICE_DATA,
  /** Every trade once. Key: symbol. Types `trade`, `trade_correction`, `trade_cancel` and `trade_gap`. */
  TRADES: tradeChannel(),
  /** Open, high, low and close of an interval. Key: `AAPL/1m`. Type `bar`. */
  BARS: barChannel(),
  /**
   * Orders and instructions to bots. Key: bot. Default type `place_order`. A command expires after 30 s, unless
   * `publish` overrides it. Bots answer on COMMAND_RESULTS. `tradeCommands` adds own types.
   */
  TRADE_COMMANDS: tradeCommands(),
  /**
   * Outcomes of commands. Key: bot. Type `command_result`; its `command_id` is the `id` of the command. The server
   * keeps the last 1,000 to repair gaps.
   */
  COMMAND_RESULTS,
  /** Status of each bot. Key: bot. Type `bot_status`. The status of a plain client is adopted as a last value. */
  BOT_STATUS: defineChannel('BOT_STATUS', {
    kind: 'state',
    key: 'bot',
    adopt: true,
    messages: { bot_status: botStatus },
  }),
  /**
   * Status of each broker feed. Key: the feed's name, or the channel of a feed that publishes on another channel than
   * PRICE_DATA, so that two accounts of one broker do not overwrite each other. Type `feed_status`.
   */
  FEED_STATUS: defineChannel('FEED_STATUS', {
    kind: 'state',
    key: ({ feed, channel = PRICE_DATA.name }) => (channel === PRICE_DATA.name ? feed : channel),
    messages: { feed_status: feedStatus },
  }),
  /**
   * Whether the feed delivers an instrument. Key: the symbol, for other channels than PRICE_DATA with the channel
   * before it, as in `PRICE_DATA.kraken BTC/USD`. Type `instrument_status`.
   */
  INSTRUMENT_STATUS: defineChannel('INSTRUMENT_STATUS', {
    kind: 'state',
    key: ({ symbol, channel = PRICE_DATA.name }) =>
      channel === PRICE_DATA.name ? symbol : `${channel} ${symbol}`,
    messages: { instrument_status: instrumentStatus },
  }),
  /** Which named programs are there. Key: name and instance, as in `momentum/0190...`. Type `presence`. */
  PRESENCE: defineChannel('PRESENCE', {
    kind: 'state',
    key: ({ name, instance }) => `${name}/${instance}`,
    messages: { presence },
  }),
  /** Operators' actions through the monitor and the command line. The server keeps the last 1,000. Type `audit`. */
  AUDIT: defineChannel('AUDIT', { kind: 'event', history: 1_000, messages: { audit } }),
});
