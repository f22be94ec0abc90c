// The public names, one by one.

export { systemClock } from './adapters/system-clock.ts';
export { RedisConnection, type RedisConnectionOptions } from './connection.ts';
export { CHANNELS, CONFIG, type Config } from './constants.ts';
export {
  type Channel,
  type ChannelKind,
  type ChannelOptions,
  type DefaultType,
  defineChannel,
  type Framing,
  type MessageType,
  type Payload,
  type PayloadInput,
} from './core/channel.ts';
export type { Unsubscribe } from './core/emitter.ts';
export type { Envelope } from './core/envelope.ts';
export { MAX_DEPTH, MAX_MESSAGE_BYTES } from './core/limits.ts';
export type { Message, MessageOf } from './core/message.ts';
export type { Clock, Connection, Fence, FenceToken, Logger } from './core/ports.ts';
export type { Position } from './core/sequence.ts';
export { StaleDataError } from './core/stale-data-error.ts';
export type { ChannelStatus, Gap, GapCause, LinkStatus, Slow, SubscriberStatus } from './core/status.ts';
export type { Verdict } from './core/verdict.ts';
export { type ErrorCode, TickbusError } from './errors.ts';
export {
  type LeaseEvents,
  type LeaseGained,
  type LeaseLost,
  type LeaseState,
  type LeaseTimes,
  RedisLease,
  type RedisLeaseOptions,
} from './lease.ts';
export {
  type Published,
  type PublishOptions,
  RedisPublisher,
  type RedisPublisherOptions,
} from './publisher.ts';
export { type Audit, audit } from './schemas/audit.ts';
export { type BotStatus, botStatus } from './schemas/bot-status.ts';
export { type CommandResult, commandResult } from './schemas/command-result.ts';
export { type FeedStatus, feedStatus } from './schemas/feed-status.ts';
export { type InstrumentStatus, instrumentStatus } from './schemas/instrument-status.ts';
export { type Price, price } from './schemas/price.ts';
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
} from './schemas/trade-command.ts';
export {
  type ChannelReport,
  type ExpiredMessage,
  type FreshnessTimes,
  type HandlerError,
  type Instrument,
  type InstrumentChange,
  type InvalidMessage,
  type Latest,
  type MessageHandler,
  RedisSubscriber,
  type RedisSubscriberOptions,
  type SubscribeOptions,
  type SubscriberEvents,
  type VerdictChange,
} from './subscriber.ts';
