// The feed of any venue that ccxt supports. ccxt conflates updates: it delivers the newest state of each instrument.

import { text } from '@tickbus/settings/fields';
import {
  CCXT_METHODS,
  type CcxtExchange,
  type CcxtLibrary,
  type CcxtMethod,
  chooseMethod,
  loadCcxt,
} from './ccxt-library.ts';
import { limitExchange } from './ccxt-limits.ts';
import { CcxtMarkets } from './ccxt-markets.ts';
import { CcxtSession } from './ccxt-session.ts';
import type { Feed } from './feed.ts';
import { defineFeedKind, textsIn } from './feed-kind.ts';
import { createSessionFeed } from './session-feed.ts';
import { booleanFlag, jsonObject } from './setting.ts';

export interface CcxtFeedOptions {
  /** ccxt's name of the venue: `binanceusdm`, `kraken`. */
  readonly exchange: string;
  /** Default: the first of watchBidsAsks, watchTickers and watchTrades that the venue supports. */
  readonly method?: CcxtMethod | undefined;
  /** Passed to ccxt's constructor: `{ options: { ... }, apiKey, ... }`. */
  readonly config?: object;
  /** Replaces scheme and host of all URLs of the venue, but not their paths: for a replay or a proxy. */
  readonly url?: string | undefined;
  /** Connects to the venue's sandbox. Default false. */
  readonly sandbox?: boolean;
}

/** `FEED=ccxt`. */
export const ccxt = defineFeedKind({
  summary: 'any venue of ccxt, which is installed separately (npm install ccxt@4.5.84)',
  settings: {
    CCXT_EXCHANGE: text('the name of a venue in ccxt, such as kraken', /^\w+$/).describe(
      "ccxt's name of the venue, such as kraken (required)",
    ),
    CCXT_METHOD: text(CCXT_METHODS.join(', '), new RegExp(`^(${CCXT_METHODS.join('|')})$`))
      .transform((method) => method as CcxtMethod)
      .optional()
      .describe(`${CCXT_METHODS.join(', ')} (default the first that the venue supports)`),
    CCXT_CONFIG: jsonObject()
      .default({})
      .meta({ description: 'JSON for ccxt\'s constructor, such as {"options":{}}', secret: true }),
    CCXT_URL: text('a URL that starts with http:// or https://', /^https?:\/\/[^/]/)
      .optional()
      .describe('replaces the host of every URL of the venue: for a replay or a proxy'),
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
 * Creates the feed; `start` connects.
 *
 * @throws Error if ccxt is not installed, does not support the venue, or the venue does not support the method
 */
export async function createCcxtFeed(options: CcxtFeedOptions): Promise<Feed> {
  const library = await loadCcxt();
  const method = chooseMethod(newExchange(library, options), options.method);
  const markets = new CcxtMarkets(() => newExchange(library, options));
  return createSessionFeed({
    name: 'ccxt',
    venue: options.exchange,
    ...(options.sandbox && { origin: 'sandbox' }),
    secrets: textsIn(options.config),
    open: (symbols, listener) => new CcxtSession({ library, method, markets }, symbols, listener),
  });
}

function newExchange(library: CcxtLibrary, options: CcxtFeedOptions): CcxtExchange {
  const { exchange: name, config = {}, url, sandbox = false } = options;
  const Exchange = library.exchanges[name];
  if (Exchange === undefined) {
    const known = Object.keys(library.exchanges).filter((one) => one[0] === name[0]);
    throw new Error(
      `ccxt has no live data for the venue ${name}. Venues with the same first letter: ${known.join(', ')}.`,
    );
  }
  const exchange = new Exchange(config);
  limitExchange(exchange);
  if (sandbox) {
    // Without this check, ccxt would continue without any URL.
    if (exchange.urls.test === undefined)
      throw new Error(`${name} has no sandbox in ccxt. Remove CCXT_SANDBOX.`);
    exchange.setSandboxMode(true);
  }
  if (url !== undefined) exchange.urls.api = replaceHosts(exchange.urls.api, url.replace(/\/$/, ''));
  return exchange;
}

/** Replaces scheme and host in every URL of a nested object. */
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
