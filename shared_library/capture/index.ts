// The public API of @tickbus/capture: reads, translates and replays recorded exchange sessions.

export { isTooDeep } from './json-depth.ts';
export type {
  BandEvent,
  CancelEvent,
  CorrectionEvent,
  Exclusion,
  MarketEvent,
  QuoteEvent,
  TradeChange,
  TradeDetails,
  TradeEvent,
  TradeReference,
} from './market-event.ts';
export { type PaceClock, type PacedOptions, paced } from './paced.ts';
export { CaptureError, type CaptureRecord, type ReadCaptureOptions, readCapture } from './read-capture.ts';
export { toMarketEvents } from './to-market-events.ts';
