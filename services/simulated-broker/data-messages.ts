// Turns events into the data messages of Alpaca's market data stream v2.

import type { QuoteEvent, TradeChange, TradeReference } from '@tickbus/capture';
import type { DataMessage } from './alpaca-protocol.ts';
import type { BrokerEvent, StatusEvent } from './sources/price-source.ts';

const REGULAR: readonly string[] = ['@'];

/**
 * Fields that an event lacks get IEX's values for an ordinary trade or quote: exchange `V`, regular conditions, tape
 * `C`.
 */
export class DataMessages {
  readonly #hasTradeIds: boolean;
  #lastTradeId = 0;

  /** @param hasTradeIds false to send no identifiers of trades */
  constructor(hasTradeIds: boolean) {
    this.#hasTradeIds = hasTradeIds;
  }

  /** The message for an event. A trade without an identifier gets the next number. */
  of(event: BrokerEvent): DataMessage {
    const t = new Date(event.timestamp);
    const common = { S: event.symbol, t, z: TAPE };
    switch (event.kind) {
      case 'trade': {
        const { price, size, trade_id, conditions: c = REGULAR } = event;
        const id = trade_id ?? String(++this.#lastTradeId);
        return { T: 't', ...this.#id('i', id), x: EXCHANGE, p: price, s: size, c, ...common };
      }
      case 'quote':
        return { T: 'q', ...sidesOf(event), c: ['R'], ...common };
      case 'status':
        return { T: 's', ...statusOf(event), ...common };
      case 'band': {
        const { limit_up: u = 0, limit_down: d = 0 } = event;
        return { T: 'l', u, d, i: u === 0 && d === 0 ? 'F' : 'B', ...common };
      }
      default:
        return { ...this.#change(event), ...common };
    }
  }

  #change(event: TradeChange) {
    const { original } = event;
    if (event.kind === 'cancel') {
      const a = event.reason === 'error' ? 'E' : 'C';
      return { T: 'x', ...this.#reference(original), x: EXCHANGE, a } as const;
    }
    const { corrected } = event;
    return {
      T: 'c',
      x: EXCHANGE,
      ...this.#id('oi', original.trade_id),
      op: original.price,
      os: original.size,
      oc: REGULAR,
      ...this.#id('ci', corrected.trade_id),
      cp: corrected.price,
      cs: corrected.size,
      cc: corrected.conditions ?? REGULAR,
    } as const;
  }

  #reference({ trade_id, price, size }: TradeReference) {
    return { ...this.#id('i', trade_id), p: price, s: size };
  }

  #id<Name extends string>(name: Name, id: string | undefined): { readonly [Field in Name]?: number } {
    if (!this.#hasTradeIds || id === undefined) return {};
    return { [name]: Number(id) } as { readonly [Field in Name]: number };
  }
}

function sidesOf({ bid, bid_size, ask, ask_size }: QuoteEvent) {
  return { bx: EXCHANGE, bp: bid, bs: bid_size, ax: EXCHANGE, ap: ask, as: ask_size };
}

function statusOf({ code, reason: [rc, rm] = ['', ''] }: StatusEvent) {
  return { sc: code, sm: STATUS_TEXTS[code], rc, rm };
}

const STATUS_TEXTS: Readonly<Record<StatusEvent['code'], string>> = {
  H: 'Trading Halt',
  P: 'Volatility Trading Pause',
  Q: 'Quotation Resumption',
  T: 'Trading Resumption',
};

const EXCHANGE = 'V';
const TAPE = 'C';
