// The subscriptions of one session: symbols by channel, with the wildcard and the account's symbol limit.

import type { BrokerErrorCode, DataMessage, ServerMessage } from './alpaca-protocol.ts';

/** The channels of the stock feeds that a client can subscribe to. Bars and imbalances carry no data here. */
const STREAM_CHANNELS = [
  'trades',
  'quotes',
  'bars',
  'updatedBars',
  'dailyBars',
  'statuses',
  'lulds',
  'imbalances',
] as const;

type StreamChannel = (typeof STREAM_CHANNELS)[number];

/** Symbols by channel name, as in a client message. */
export type SymbolsByChannel = Readonly<Record<string, readonly string[]>>;

export class Subscriptions {
  readonly #limit: number;
  readonly #omitted: readonly string[];
  #symbols: ReadonlyMap<StreamChannel, ReadonlySet<string>> = new Map(
    STREAM_CHANNELS.map((channel) => [channel, new Set()]),
  );

  /**
   * @param limit maximum symbols in trades and quotes together; the other channels are unlimited
   * @param omitted channels that the feed does not have
   */
  constructor(limit: number, omitted: readonly string[]) {
    this.#limit = limit;
    this.#omitted = omitted;
  }

  /** Adds subscriptions. On an error nothing changes: 405 beyond the limit, 410 for an unknown channel. */
  subscribe(added: SymbolsByChannel): BrokerErrorCode | undefined {
    return this.#change(added, (current, symbols) => new Set([...current, ...symbols]));
  }

  /** Removes subscriptions; `*` removes only the wildcard itself. 410 for an unknown channel. */
  unsubscribe(removed: SymbolsByChannel): BrokerErrorCode | undefined {
    return this.#change(
      removed,
      (current, symbols) => new Set([...current].filter((one) => !symbols.includes(one))),
    );
  }

  includes(message: DataMessage): boolean {
    const symbols = this.#of(CHANNEL_OF[message.T]);
    return symbols.has(message.S) || symbols.has('*');
  }

  /**
   * The acknowledgement, which always contains all symbols of every channel. Corrections and cancelled trades have the
   * same symbols as trades; a client cannot subscribe to them separately.
   */
  acknowledgement(): ServerMessage & Readonly<Record<string, unknown>> {
    const lists = Object.fromEntries(STREAM_CHANNELS.map((channel) => [channel, [...this.#of(channel)]]));
    return { T: 'subscription', ...lists, corrections: lists.trades, cancelErrors: lists.trades };
  }

  #change(
    changes: SymbolsByChannel,
    change: (current: ReadonlySet<string>, symbols: readonly string[]) => ReadonlySet<string>,
  ): BrokerErrorCode | undefined {
    const next = new Map(this.#symbols);
    for (const [channel, symbols] of Object.entries(changes)) {
      if (!isChannel(channel) || this.#omitted.includes(channel)) return 410;
      next.set(channel, change(this.#of(channel), symbols));
    }
    if (countAgainstLimit(next) > this.#limit) return 405;
    this.#symbols = next;
    return undefined;
  }

  #of(channel: StreamChannel): ReadonlySet<string> {
    return this.#symbols.get(channel) ?? NO_SYMBOLS;
  }
}

const CHANNEL_OF: Readonly<Record<DataMessage['T'], StreamChannel>> = {
  t: 'trades',
  q: 'quotes',
  s: 'statuses',
  c: 'trades',
  x: 'trades',
  l: 'lulds',
};

const NO_SYMBOLS: ReadonlySet<string> = new Set();

function isChannel(name: string): name is StreamChannel {
  return (STREAM_CHANNELS as readonly string[]).includes(name);
}

/** Symbols that count against the limit; the wildcard counts as infinitely many. */
function countAgainstLimit(symbols: ReadonlyMap<StreamChannel, ReadonlySet<string>>): number {
  const sets = [symbols.get('trades') ?? NO_SYMBOLS, symbols.get('quotes') ?? NO_SYMBOLS];
  return sets.reduce((sum, set) => sum + (set.has('*') ? Number.POSITIVE_INFINITY : set.size), 0);
}
