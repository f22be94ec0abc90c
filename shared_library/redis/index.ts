// The public API.

export { AskError, type AskErrorCode } from './ask/ask-error.ts';
export type { AskableChannel, AskOptions } from './ask/ask-options.ts';
export {
  type Answer,
  type AnswerSchemas,
  type Channel,
  type ChannelKind,
  type ChannelOptions,
  type DefaultType,
  defineChannel,
  type Framing,
  type HistoryOptions,
  type MessageType,
  type Payload,
  type PayloadInput,
} from './channel/channel.ts';
export {
  type DefinitionConflict,
  DefinitionConflictError,
  type DefinitionField,
} from './channel/definition.ts';
export {
  MAX_CHANNEL_KEYS,
  MAX_DEMAND,
  MAX_DEPTH,
  MAX_MESSAGE_BYTES,
  MAX_SUBSCRIBER_KEYS,
} from './channel/limits.ts';
export { MAX_PARTITIONS } from './channel/partitions.ts';
export { type Audit, audit } from './channel/schemas/audit.ts';
export { type Bar, bar } from './channel/schemas/bar.ts';
export { type BotStatus, botStatus } from './channel/schemas/bot-status.ts';
export { type CommandResult, commandResult } from './channel/schemas/command-result.ts';
export { type FeedStatus, feedStatus } from './channel/schemas/feed-status.ts';
export { type InstrumentStatus, instrumentStatus } from './channel/schemas/instrument-status.ts';
export { type Presence, presence } from './channel/schemas/presence.ts';
export { type Price, price } from './channel/schemas/price-data.ts';
export {
  type Trade,
  type TradeCancel,
  type TradeCorrection,
  type TradeGap,
  trade,
  tradeCancel,
  tradeCorrection,
  tradeGap,
} from './channel/schemas/trade.ts';
export {
  type CancelAll,
  type CancelOrder,
  cancelAll,
  cancelOrder,
  type Pause,
  type PlaceOrder,
  pause,
  placeOrder,
  type Resume,
  resume,
} from './channel/schemas/trade-command.ts';
export { type CommandSchemas, type TradeCommands, tradeCommands } from './channel/trade-commands.ts';
export {
  type BarChannel,
  barChannel,
  type PriceChannel,
  priceChannel,
  type TradeChannel,
  tradeChannel,
} from './channel/venue-channels.ts';
export { type Pem, RedisConnection, type RedisConnectionOptions } from './connection.ts';
export { CHANNELS, CONFIG, type Config } from './constants.ts';
export { type ErrorCode, TickbusError } from './errors.ts';
export { StaleDataError } from './freshness/stale-data-error.ts';
export type { Verdict } from './freshness/verdict.ts';
export {
  type LeaseEvents,
  type LeaseGained,
  type LeaseLost,
  type LeaseState,
  type LeaseTimes,
  RedisLease,
  type RedisLeaseOptions,
} from './lease.ts';
export { type PresenceOptions, presenceList } from './presence.ts';
export {
  type Published,
  type PublishOptions,
  RedisPublisher,
  type RedisPublisherOptions,
} from './publisher.ts';
export type { Clock } from './runtime/clock.ts';
export type { Unsubscribe } from './runtime/emitter.ts';
export type { Logger } from './runtime/logger.ts';
export { systemClock } from './runtime/system-clock.ts';
export type {
  ChannelStatus,
  ConflictReport,
  Forged,
  Gap,
  GapCause,
  NameTaken,
  Slow,
  SubscriberStatus,
} from './subscribe/status.ts';
export {
  type ChannelReport,
  type Delivery,
  type ExpiredMessage,
  type FreshnessTimes,
  type From,
  type HandlerError,
  type Instrument,
  type InstrumentChange,
  type InvalidMessage,
  type Latest,
  type MessageHandler,
  type Observed,
  type Observer,
  RedisSubscriber,
  type RedisSubscriberOptions,
  type SubscribeOptions,
  type SubscriberEvents,
  type VerdictChange,
} from './subscriber.ts';
export type { ChannelLinkStatus, LinkStatus } from './transport/link-status.ts';
export type { Connection, Fence, FenceToken } from './transport/port.ts';
export type { Envelope } from './wire/envelope.ts';
export type { DeepReadonly, Message, MessageOf } from './wire/message.ts';
export type { Position } from './wire/position.ts';
