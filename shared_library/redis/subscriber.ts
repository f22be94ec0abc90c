// RedisSubscriber: subscribes to channels on Redis.

import { CONNECTION_NAMES, type ConnectionOptions, connectionFrom, defaultSender } from './connection.ts';
import { CHANNELS } from './constants.ts';
import type { FeedChannels } from './freshness/gateway-status.ts';
import type { FreshnessTimes } from './freshness/latest.ts';
import { type Membership, memberOf, type PresenceOptions } from './presence/membership.ts';
import type { Clock } from './runtime/clock.ts';
import { containedLogger } from './runtime/logger.ts';
import { checkOptionNames, type OptionNames } from './runtime/option-checks.ts';
import { systemClock } from './runtime/system-clock.ts';
import { Adopter } from './subscribe/adopter.ts';
import { SubscriberBase } from './subscribe/subscriber-base.ts';
import { named } from './transport/named-transport.ts';
import type { Connection } from './transport/port.ts';

export type { FreshnessTimes, Instrument, InstrumentChange, Latest } from './freshness/latest.ts';
export type { VerdictChange } from './freshness/verdict-poller.ts';
export type { From } from './subscribe/from.ts';
export type {
  ChannelReport,
  ExpiredMessage,
  HandlerError,
  InvalidMessage,
  SubscriberEvents,
} from './subscribe/reports.ts';
export type { MessageHandler, SubscribeOptions } from './subscribe/subscription-options.ts';
export type { Delivery, Observed, Observer } from './subscribe/tap.ts';

type SharedOptions = ConnectionOptions & PresenceOptions;

export type RedisSubscriberOptions = SharedOptions & {
  /** A clock for tests. Default: the system clock. */
  clock?: Clock | undefined;
  /**
   * The time limits for judging freshness. With `false`, the subscriber does not read the status channels of gateways
   * (FEED_STATUS, INSTRUMENT_STATUS), so no value from a gateway is ever fresh. Otherwise it reads both as soon as it
   * subscribes to the channel of a gateway.
   */
  freshness?: FreshnessTimes | false | undefined;
  /**
   * Keeps messages of plain clients as last values, on the subscribed channels that are defined with `adopt: true`. So
   * late subscribers get them, marked `adopted: true`. Any number of programs can do this at the same time. The user
   * needs the permission to write last values; without it, one warning is logged. Default false.
   */
  adopt?: boolean | undefined;
};

const FEEDS: FeedChannels = {
  feedStatus: CHANNELS.FEED_STATUS,
  instrumentStatus: CHANNELS.INSTRUMENT_STATUS,
  defaultChannel: CHANNELS.PRICE_DATA.name,
};

const NAMES: OptionNames<RedisSubscriberOptions> = {
  ...CONNECTION_NAMES,
  name: true,
  uniqueName: true,
  clock: true,
  freshness: true,
  adopt: true,
};
const FRESHNESS_NAMES: OptionNames<FreshnessTimes> = { missedHeartbeats: true, linkTimeoutMs: true };

/**
 * Calls handlers with the messages of channels.
 *
 * @example
 * const subscriber = new RedisSubscriber({ host: CONFIG.HOST, port: CONFIG.PORT });
 * subscriber.subscribe(CHANNELS.PRICE_DATA, (message) => console.log(message.data.price));
 * await subscriber.startListening();
 */
export class RedisSubscriber extends SubscriberBase {
  readonly #connection: Connection;
  readonly #ownsConnection: boolean;
  readonly #member: Membership | undefined;
  readonly #adopter: Adopter | undefined;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for invalid options or environment variables */
  constructor(options: RedisSubscriberOptions = {}) {
    checkOptionNames('RedisSubscriber', options, NAMES);
    const { freshness } = options;
    if (freshness !== undefined && freshness !== false)
      checkOptionNames('freshness of RedisSubscriber', freshness, FRESHNESS_NAMES);
    const { connection, isOwned } = connectionFrom(options);
    const { clock = systemClock } = options;
    const logger = containedLogger(options.logger);
    const adopter = options.adopt
      ? new Adopter({ transport: connection.publishing, clock, logger })
      : undefined;
    const member = memberOf({ connection, clock, logger }, options);
    super({
      transport: member ? named(connection.subscribing, () => member.isSeen) : connection.subscribing,
      clock,
      logger,
      name: defaultSender(),
      author: options.name,
      ...(member && {
        onConnected: () => member.start(),
        onChannels: (names) => member.setSubscribed(names),
      }),
      feeds: options.freshness === false ? undefined : FEEDS,
      freshness: options.freshness || undefined,
      adopter,
    });
    this.#connection = connection;
    this.#ownsConnection = isOwned;
    this.#member = member;
    if (member) member.onNameTaken = (error) => this.reportNameTaken(error);
    this.#adopter = adopter;
  }

  override async close(options?: { timeoutMs?: number }): Promise<void> {
    await super.close(options);
    this.#adopter?.close();
    await this.#member?.leave();
    if (this.#ownsConnection) await this.#connection.close();
  }
}
