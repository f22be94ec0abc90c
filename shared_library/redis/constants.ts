// CHANNELS and CONFIG: the names that every service shares. Reads the environment once and has no other effect.

import { defineChannel } from './channel/channel.ts';
import { audit } from './channel/schemas/audit.ts';
import { botStatus } from './channel/schemas/bot-status.ts';
import { commandResult } from './channel/schemas/command-result.ts';
import { feedStatus } from './channel/schemas/feed-status.ts';
import { instrumentStatus } from './channel/schemas/instrument-status.ts';
import { price } from './channel/schemas/price.ts';
import { cancelAll, cancelOrder, pause, placeOrder, resume } from './channel/schemas/trade-command.ts';
import {
  DEFAULT_ADDRESS,
  parseDb,
  parseHost,
  parsePort,
  parseRedisUrl,
  type RedisAddress,
} from './transport/redis/address.ts';

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

/**
 * Where Redis is, from the environment: REDIS_URL, or else REDIS_HOST, REDIS_PORT and REDIS_DB. Default 127.0.0.1:6379/0.
 * A publisher or subscriber that is given this host and port also uses the URL's user, password, database and TLS.
 */
export interface Config {
  readonly HOST: string;
  readonly PORT: number;
  readonly DB: number;
  /** All of it, with the credentials; not enumerable, so that logging CONFIG tells no secret. */
  readonly ADDRESS: RedisAddress;
}

/** Frozen. @throws TickbusError `TICKBUS_INVALID_OPTION` when a value is first read and the environment is unusable. */
export const CONFIG: Config = readConfig(process.env);

/** The Config of an environment; CONFIG is that of this process. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const outcome = attempt(() => readAddress(env));
  const address = (): RedisAddress => {
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  };
  const visible = { enumerable: true, configurable: false };
  return Object.freeze(
    Object.defineProperties({} as Config, {
      HOST: { ...visible, get: () => address().host },
      PORT: { ...visible, get: () => address().port },
      DB: { ...visible, get: () => address().db },
      ADDRESS: { enumerable: false, configurable: false, get: address },
    }),
  );
}

function readAddress(env: Readonly<Record<string, string | undefined>>): RedisAddress {
  const { REDIS_URL, REDIS_HOST, REDIS_PORT, REDIS_DB } = env;
  if (REDIS_URL) return Object.freeze(parseRedisUrl(REDIS_URL, 'REDIS_URL'));
  return Object.freeze({
    ...DEFAULT_ADDRESS,
    ...(REDIS_HOST ? { host: parseHost(REDIS_HOST, 'REDIS_HOST') } : {}),
    ...(REDIS_PORT ? { port: parsePort(REDIS_PORT, 'REDIS_PORT') } : {}),
    ...(REDIS_DB ? { db: parseDb(REDIS_DB, 'REDIS_DB') } : {}),
  });
}

function attempt<T>(action: () => T): { value: T } | { error: unknown } {
  try {
    return { value: action() };
  } catch (error) {
    return { error };
  }
}
