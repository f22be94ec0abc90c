// The public API of @tickbus/capture: events of venues and their checks; reads and replays recorded exchange sessions.

export { checkedEvent, isValidEvent } from './checked-event.ts';
export { describeValue } from './describe-value.ts';
export { essentialsOf, problemOf, type UncheckedEvent } from './event-rules.ts';
export { isTooDeep } from './json-depth.ts';
export type {
  BandEvent,
  CancelEvent,
  CorrectionEvent,
  Exclusion,
  JsonObject,
  MarketEvent,
  QuoteEvent,
  TradeChange,
  TradeDetails,
  TradeEvent,
  TradeReference,
  TradingEvent,
  VenueEvent,
} from './market-event.ts';
export { type PaceClock, type PacedOptions, paced } from './paced.ts';
export { CaptureError, type CaptureRecord, type ReadCaptureOptions, readCapture } from './read-capture.ts';
export { toMarketEvents, toVenueEvents } from './to-market-events.ts';
export { readAlpacaMessage } from './venues/alpaca.ts';
