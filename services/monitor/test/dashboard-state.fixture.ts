// A DashboardState without a bus: messages are recorded directly, and the last price of a symbol is always fresh.

import type { BotStatus, Channel, ChannelReport, FeedStatus, Message, Price } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { DashboardState } from '../model/dashboard-state.ts';
import type { PriceVerdict } from '../model/instrument-record.ts';

const about = { redis: 'here', canSend: false, commands: [], maxAgeMs: 5_000, version: '0' };
const FRESH: PriceVerdict = { verdict: 'fresh', reason: '', changedAgoMs: 0, instrument: undefined };

export class Dashboard {
  readonly state: DashboardState;
  now = 1_000_000;
  /** Token of the PRICE_DATA lease according to Redis. */
  heldLease: number | undefined;

  constructor(latestOf: (symbol: string) => PriceVerdict = () => FRESH) {
    this.state = new DashboardState(
      about,
      Object.values(CHANNELS),
      { latestOf, reportOf: () => ({ lease: this.heldLease }) as ChannelReport },
      this.now,
    );
  }

  price(symbol: string, more: Partial<Price> = {}): void {
    this.record(CHANNELS.PRICE_DATA, { symbol, price: 1, timestamp: this.now, ...more });
  }

  bot(bot: string, more: Partial<BotStatus> = {}): void {
    this.record(CHANNELS.BOT_STATUS, { bot, state: 'running', ...more });
  }

  feed(more: Partial<FeedStatus> = {}): void {
    this.record(CHANNELS.FEED_STATUS, { feed: 'test', state: 'live', ...more });
  }

  record(channel: Channel, data: object, envelope: Partial<Message> = {}): void {
    const message = {
      message_type: 'type',
      data,
      timestamp: this.now,
      sender: 'test',
      ...envelope,
    } as Message;
    this.state.onMessage(channel, message, this.now, this.now);
  }

  /** Advances the time by a second and updates the state, as `PageFrames` does. */
  second(): void {
    this.now += 1_000;
    this.state.updateRates(1);
    this.state.update(this.now);
  }

  get symbols(): string[] {
    return this.state.snapshot().prices.map(({ symbol }) => symbol);
  }

  get bots(): string[] {
    return this.state.snapshot().bots.map(({ bot }) => bot);
  }
}
