// How many past messages the server keeps of a channel, and of each of its keys.

import { checkOptionNames, type OptionNames } from '../runtime/option-checks.ts';
import { invalid } from './definition-checks.ts';
import { MAX_CHANNEL_KEYS, MAX_HISTORY, MAX_KEY_HISTORY, MAX_KEYED_HISTORY } from './limits.ts';

/** A history for each key, and one of the whole channel. */
export interface HistoryOptions {
  /** Number of past messages that the server keeps of each key, 1 to 10,000. */
  perKey: number;
  /**
   * Number of past messages that it keeps of the whole channel, 0 to 100,000. They repair the gaps of subscribers that
   * missed messages, and serve those that name no keys. Default 10,000.
   */
  channel?: number;
}

const NAMES: OptionNames<HistoryOptions> = { perKey: true, channel: true };
const DEFAULT_HISTORY = 10_000;
/** The share of the keys that the fullest of many partitions has, compared with the mean. */
const MAX_SKEW = 2;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function checkedHistory(
  name: string,
  { history = 0, key }: { readonly history?: number | HistoryOptions; readonly key?: unknown },
): { readonly history: number; readonly historyPerKey: number | undefined } {
  if (typeof history !== 'object' || history === null)
    return { history: checkedLength(name, 'history', history, 0, MAX_HISTORY), historyPerKey: undefined };
  checkOptionNames(`The history of the channel "${name}"`, history, NAMES);
  const { perKey, channel = DEFAULT_HISTORY } = history;
  if (key === undefined)
    throw invalid(name, 'has a history of each key and no `key`. Name the field by which messages are kept.');
  return {
    history: checkedLength(name, 'history.channel', channel, 0, MAX_HISTORY),
    historyPerKey: checkedLength(name, 'history.perKey', perKey, 1, MAX_KEY_HISTORY),
  };
}

/**
 * The number of keys whose history the server keeps, in each partition. Beyond it, the history of the key that was
 * published on least recently is deleted.
 */
export function maxHistoryKeys({
  historyPerKey = 1,
  layout = 1,
}: {
  readonly historyPerKey?: number | undefined;
  readonly layout?: number | undefined;
}): number {
  const keys = Math.min(MAX_CHANNEL_KEYS, Math.floor(MAX_KEYED_HISTORY / historyPerKey));
  return Math.min(keys, Math.ceil((keys * MAX_SKEW) / layout));
}

function checkedLength(name: string, field: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(name, `has the invalid ${field} ${value}. Use a whole number from ${min} to ${max}.`);
}
