// A bot of a desk in a separate process: records trades, the times of prices, and everything that the library reports.

import { RedisSubscriber } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface WatchDeskSettings {
  readonly url: string;
  readonly symbol: string;
  readonly maxAgeMs: number;
}

/** A price of a trade, or the `trade_time` of a price, and the epoch of its message. */
export type InEpoch = readonly [value: number, epoch: number];

export interface DeskReport extends Readonly<Record<string, unknown>> {
  /** The prices of the trades, in the order of arrival. */
  readonly trades: readonly InEpoch[];
  /** Times for which trades may be missing, in Unix milliseconds. */
  readonly tradeGaps: readonly { readonly from?: number | undefined; readonly to: number }[];
  /** The `trade_time` of each price, in the order of arrival. */
  readonly priceTimes: readonly InEpoch[];
  readonly lastPrice: number | undefined;
  /** The causes of the gaps in what was published. */
  readonly gaps: readonly string[];
  /** The types of all statuses, and of reports about messages. */
  readonly reports: readonly string[];
  /** The verdict on the price now. */
  readonly verdict: string;
}

const { url, symbol, maxAgeMs } = workerSettings<WatchDeskSettings>();
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const subscriber = new RedisSubscriber({ url, logger, name: 'watcher' });
const { PRICE_DATA, TRADES, INSTRUMENT_STATUS, BOT_STATUS } = CHANNELS;
const trades: InEpoch[] = [];
const tradeGaps: DeskReport['tradeGaps'][number][] = [];
const priceTimes: InEpoch[] = [];
const gaps: string[] = [];
const reports = new Set<string>();
let lastPrice: number | undefined;

subscriber.subscribe(TRADES, () => {}, { keys: [symbol] });
subscriber.subscribe(PRICE_DATA, () => {}, { keys: [symbol] });
subscriber.subscribe(INSTRUMENT_STATUS, () => {});
subscriber.subscribe(BOT_STATUS, () => {});
subscriber.tap(TRADES, ({ message }) => {
  if (message.message_type === 'trade') trades.push([message.data.price, message.epoch ?? 0]);
  if (message.message_type === 'trade_gap') tradeGaps.push(message.data);
});
subscriber.tap(PRICE_DATA, ({ message: { data, epoch = 0 } }) => {
  priceTimes.push([data.trade_time ?? 0, epoch]);
  lastPrice = data.price;
});
subscriber.on('gap', ({ channel, cause }) => gaps.push(`${channel} ${cause}`));
subscriber.on('status', ({ type }) => reports.add(type));
subscriber.on('invalid_message', ({ channel }) => reports.add(`invalid_message on ${channel}`));

onRequest('report', () => {
  const { verdict } = subscriber.latest(PRICE_DATA, symbol, { maxAgeMs });
  const report: Omit<DeskReport, 'type'> = {
    trades,
    tradeGaps,
    priceTimes,
    lastPrice,
    gaps,
    reports: [...reports],
    verdict,
  };
  return sendToParent('report', report);
});
await subscriber.startListening();
await sendToParent('ready');
