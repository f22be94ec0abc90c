// The feed of any venue that ccxt knows. ccxt hands over the newest state of each instrument, and merges what came between.

import {
  CCXT_METHODS,
  type CcxtExchange,
  type CcxtLibrary,
  type CcxtMethod,
  chooseMethod,
  loadCcxt,
} from './ccxt-library.ts';
import { CcxtMarkets } from './ccxt-markets.ts';
import { CcxtSession } from './ccxt-session.ts';
import type { Feed } from './feed.ts';
import { defineFeedKind } from './feed-kind.ts';
import { createSessionFeed } from './session-feed.ts';
import { booleanFlag, jsonObject, text } from './setting.ts';

export interface CcxtFeedOptions {
  /** The venue as ccxt calls it: `binanceusdm`, `kraken`. */
  readonly exchange: string;
  /** Default: the first of watchBidsAsks, watchTickers and watchTrades that the venue has. */
  readonly method?: CcxtMethod | undefined;
  /** Given to ccxt's constructor: `{ options: { ... }, apiKey, ... }`. */
  readonly config?: object;
  /** Where the venue is instead of at its own addresses, whose paths are kept: a replay, a proxy. */
  readonly url?: string | undefined;
  /** The venue's own place for trying things. Default false. */
  readonly sandbox?: boolean;
}

/** `FEED=ccxt`. */
export const ccxt = defineFeedKind({
  summary: 'any of the venues of ccxt, which is installed apart (npm install ccxt@4.5.84)',
  settings: {
    CCXT_EXCHANGE: text('the name of a venue in ccxt, such as kraken', /^\w+$/).describe(
      'the venue as ccxt calls it, such as kraken (required)',
    ),
    CCXT_METHOD: text(CCXT_METHODS.join(', '), new RegExp(`^(${CCXT_METHODS.join('|')})$`))
      .transform((method) => method as CcxtMethod)
      .optional()
      .describe(`${CCXT_METHODS.join(', ')} (default the first that the venue has)`),
    CCXT_CONFIG: jsonObject()
      .default({})
      .meta({ description: 'JSON given to ccxt\'s constructor, such as {"options":{}}', secret: true }),
    CCXT_URL: text('an address that begins with http:// or https://', /^https?:\/\/[^/]/)
      .optional()
      .describe('replaces every address of the venue: a replay or a proxy'),
    CCXT_SANDBOX: booleanFlag().default(false).describe("true for the venue's sandbox (default false)"),
  },
  create: (values) =>
    createCcxtFeed({
      exchange: values.CCXT_EXCHANGE,
      method: values.CCXT_METHOD,
      config: values.CCXT_CONFIG,
      url: values.CCXT_URL,
      sandbox: values.CCXT_SANDBOX,
    }),
});

/**
 * The feed; nothing connects before `start`.
 *
 * @throws Error when ccxt is not installed, does not know the venue, or has no such method for it
 */
export async function createCcxtFeed(options: CcxtFeedOptions): Promise<Feed> {
  const library = await loadCcxt();
  const method = chooseMethod(newExchange(library, options), options.method);
  const markets = new CcxtMarkets(() => newExchange(library, options));
  return createSessionFeed({
    name: 'ccxt',
    venue: options.exchange,
    open: (symbols, listener) => new CcxtSession({ library, method, markets }, symbols, listener),
  });
}

function newExchange(library: CcxtLibrary, options: CcxtFeedOptions): CcxtExchange {
  const { exchange: name, config = {}, url, sandbox = false } = options;
  const Exchange = library.exchanges[name];
  if (Exchange === undefined) {
    const known = Object.keys(library.exchanges).filter((one) => one[0] === name[0]);
    throw new Error(`ccxt has no live data of a venue ${name}. With that letter it has ${known.join(', ')}.`);
  }
  const exchange = new Exchange(config);
  if (sandbox) {
    // ccxt would go on without any address.
    if (exchange.urls.test === undefined)
      throw new Error(`${name} has no sandbox in ccxt. Leave CCXT_SANDBOX out.`);
    exchange.setSandboxMode(true);
  }
  if (url !== undefined) exchange.urls.api = replaceHosts(exchange.urls.api, url.replace(/\/$/, ''));
  return exchange;
}

/** Every address in it, at another host. */
function replaceHosts(addresses: unknown, to: string): unknown {
  if (typeof addresses === 'string') {
    return addresses.replace(/^(http|ws)s?:\/\/[^/]+/, (_, scheme) =>
      scheme === 'ws' ? to.replace(/^http/, 'ws') : to,
    );
  }
  if (typeof addresses !== 'object' || addresses === null) return addresses;
  return Object.fromEntries(
    Object.entries(addresses).map(([name, value]) => [name, replaceHosts(value, to)]),
  );
}
