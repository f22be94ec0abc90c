// The ticks of every participant: the same fields and sizes, generated from one seed.

/** The payload of the PRICE_DATA channel. */
export interface BenchmarkTick {
  symbol: string;
  price: number;
  /** Time of the publish call: milliseconds of CLOCK_MONOTONIC, which all processes of a machine share. */
  timestamp: number;
  bid: number;
  ask: number;
  bid_size: number;
  ask_size: number;
  size: number;
  venue: string;
}

/** The document that participants other than tickbus send. tickbus adds position and server time to its own. */
export interface TickEnvelope<Data = BenchmarkTick> {
  readonly message_type: string;
  readonly data: Data;
  readonly timestamp: number;
  readonly sender: string;
}

export const SENDER = 'gateway';

/** Milliseconds of CLOCK_MONOTONIC, rounded to a microsecond. */
export function monotonicMs(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1e3) / 1e3;
}

export function envelopeOf<Data>(type: string, data: Data): TickEnvelope<Data> {
  return { message_type: type, data, timestamp: Date.now(), sender: SENDER };
}

/** Reproducible numbers from 0 (inclusive) to 1 (exclusive), by mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function symbolsOf(instruments: number): string[] {
  return Array.from({ length: instruments }, (_, index) => `S${String(index).padStart(4, '0')}`);
}

/** Endless ticks of `instruments` symbols in turn, about 215 bytes each as an envelope. */
export function tickSource(seed: number, instruments: number): () => BenchmarkTick {
  const random = randomFrom(seed);
  const symbols = symbolsOf(instruments);
  let count = 0;
  return () => {
    const symbol = symbols[count++ % instruments] as string;
    const cents = 10_000 + Math.floor(random() * 80_000);
    const lots = 1 + Math.floor(random() * 8);
    return {
      symbol,
      price: cents / 100,
      timestamp: 0,
      bid: (cents - 1) / 100,
      ask: (cents + 1) / 100,
      bid_size: lots * 100,
      ask_size: 900 - lots * 100,
      size: 100,
      venue: 'iex',
    };
  };
}
