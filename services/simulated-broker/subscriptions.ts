// What one session is subscribed to: symbols by channel, with the wildcard and the account's symbol limit.

import type { BrokerErrorCode, DataMessage, ServerMessage } from './alpaca-protocol.ts';

/** The channels of the stock feeds that a client can ask for; of these, trades and quotes carry data here. */
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

/** Symbols by channel name, as a client names them. */
export type SymbolsByChannel = Readonly<Record<string, readonly string[]>>;

/** The subscriptions of one session. */
export class Subscriptions {
  readonly #limit: number;
  #symbols: ReadonlyMap<StreamChannel, ReadonlySet<string>> = new Map(
    STREAM_CHANNELS.map((channel) => [channel, new Set()]),
  );

  /** @param limit symbols allowed in trades and quotes together; the other channels are not limited */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds to the subscriptions, or changes nothing and returns the error: 405 past the limit, 410 for a foreign channel. */
  subscribe(added: SymbolsByChannel): BrokerErrorCode | undefined {
    return this.#change(added, (current, symbols) => new Set([...current, ...symbols]));
  }

  /** Takes from the subscriptions; `*` takes only the wildcard itself. 410 for a foreign channel. */
  unsubscribe(removed: SymbolsByChannel): BrokerErrorCode | undefined {
    return this.#change(
      removed,
      (current, symbols) => new Set([...current].filter((one) => !symbols.includes(one))),
    );
  }

  /** Whether a message belongs to these subscriptions. */
  includes(message: DataMessage): boolean {
    const symbols = this.#of(message.T === 't' ? 'trades' : 'quotes');
    return symbols.has(message.S) || symbols.has('*');
  }

  /**
   * The acknowledgement: always the full lists. Corrections and cancelled trades come with the trades and are listed, but
   * cannot be asked for.
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
      if (!isChannel(channel)) return 410;
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

const NO_SYMBOLS: ReadonlySet<string> = new Set();

function isChannel(name: string): name is StreamChannel {
  return (STREAM_CHANNELS as readonly string[]).includes(name);
}

/** How much of the limit is used up; the wildcard is every symbol there is. */
function countAgainstLimit(symbols: ReadonlyMap<StreamChannel, ReadonlySet<string>>): number {
  const sets = [symbols.get('trades') ?? NO_SYMBOLS, symbols.get('quotes') ?? NO_SYMBOLS];
  return sets.reduce((sum, set) => sum + (set.has('*') ? Number.POSITIVE_INFINITY : set.size), 0);
}
