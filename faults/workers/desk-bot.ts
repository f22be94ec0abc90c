// A well-behaved bot in a separate process: samples the freshness of a price, handles commands, and counts what the
// library reports.

import { RedisSubscriber, StaleDataError, type SubscriberStatus } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface DeskBotSettings {
  readonly url: string;
  readonly bot: string;
  readonly symbol: string;
  readonly maxAgeMs: number;
}

/** Messages of TRADE_COMMANDS that the subscriber reported as missing. `to` undefined: the end is unknown. */
export interface ReportedRange {
  readonly type: string;
  readonly epoch: number | undefined;
  readonly from: number | undefined;
  readonly to: number | undefined;
}

export interface DeskBotReport extends Readonly<Record<string, unknown>> {
  /** Samples by verdict; `fresh` if `requireFresh` returned the price. */
  readonly samples: Readonly<Record<string, number>>;
  /** Ids of the handled commands. An id occurs twice if its command was handled twice. */
  readonly handled: readonly string[];
  readonly expired: readonly string[];
  readonly ranges: readonly ReportedRange[];
  /** Messages reported as invalid, on all channels. */
  readonly invalid: number;
  /** Prices handled, without snapshots. */
  readonly prices: number;
  readonly statuses: Readonly<Record<string, number>>;
}

const SAMPLE_MS = 50;

const { url, bot, symbol, maxAgeMs } = workerSettings<DeskBotSettings>();
// Logs nothing: the listeners below count what the library reports.
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const subscriber = new RedisSubscriber({ url, logger });
const samples: Record<string, number> = {};
const statuses: Record<string, number> = {};
const handled: string[] = [];
const expired: string[] = [];
const ranges: ReportedRange[] = [];
let [invalid, prices] = [0, 0];

const count = (counts: Record<string, number>, name: string) => {
  counts[name] = (counts[name] ?? 0) + 1;
};
subscriber.subscribe(CHANNELS.PRICE_DATA, ({ snapshot }) => void (snapshot || prices++), { keys: [symbol] });
subscriber.subscribe(CHANNELS.TRADE_COMMANDS, ({ id = '' }) => void handled.push(id), { keys: [bot] });
subscriber.subscribe(CHANNELS.BOT_STATUS, () => {});
subscriber.on('expired', ({ message: { id = '' } }) => expired.push(id));
subscriber.on('invalid_message', () => invalid++);
subscriber.on('status', (status) => {
  count(statuses, status.type);
  keepRange(status);
});

/** Forgets the samples so far. */
onRequest('reset-samples', () => {
  for (const verdict of Object.keys(samples)) delete samples[verdict];
});
onRequest('report', () => {
  const report = { samples, handled, expired, ranges, invalid, prices, statuses };
  return sendToParent('report', report satisfies Omit<DeskBotReport, 'type'>);
});
await subscriber.startListening();
setInterval(sample, SAMPLE_MS);
await sendToParent('ready');

function sample(): void {
  try {
    subscriber.requireFresh(CHANNELS.PRICE_DATA, symbol, { maxAgeMs });
    count(samples, 'fresh');
  } catch (error) {
    if (!(error instanceof StaleDataError)) throw error;
    count(samples, error.verdict);
  }
}

/** Keeps gaps, and every other status with a range of positions, such as a report of forged messages. */
function keepRange(status: SubscriberStatus): void {
  if (!('channel' in status) || status.channel !== CHANNELS.TRADE_COMMANDS.name || !('from' in status))
    return;
  const { type, epoch, from, to } = status;
  ranges.push({ type, epoch, from, to });
}
