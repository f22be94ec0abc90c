// The options of a bot, and their checks.

import type { BotStatus } from '../channel/schemas/bot-status.ts';
import { botName } from '../channel/schemas/trade-command.ts';
import { CONNECTION_NAMES, type ConnectionOptions } from '../connection.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { checkOptionNames, checkStrings, checkType, type OptionNames } from '../runtime/option-checks.ts';
import { printable } from '../runtime/printable.ts';

/** The options of a bot. */
export type BotOptions = ConnectionOptions & BotFields;

/** Options that a test or a deployment may set on a bot that is defined elsewhere: `{ name: 'a', ...overrides }`. */
export type BotOverrides = ConnectionOptions & Partial<BotFields>;

interface BotFields {
  /** The name in commands, answers, the status and PRESENCE: 1 to 128 characters. */
  name: string;
  /** Refuse to start while another program has this name, as in `RedisSubscriberOptions`. Default false. */
  uniqueName?: boolean | undefined;
  /** The instruments of `onPrice`. Default: all. */
  prices?: readonly string[] | undefined;
  /** The venue of the prices, as in `priceChannel('kraken')`. Default: PRICE_DATA. */
  venue?: string | undefined;
  /** The age in milliseconds up to which `fresh()` returns a price. Default 5,000. */
  maxAgeMs?: number | undefined;
  /** Position and profit for the status. Called for every status report. Default: neither. */
  account?: (() => Pick<BotStatus, 'position' | 'pnl'>) | undefined;
  /** Milliseconds between periodic status reports. Each change of state is also reported at once. Default 2,000. */
  statusIntervalMs?: number | undefined;
  /** A clock for tests. Default: the system clock. */
  clock?: Clock | undefined;
}

const NAMES: OptionNames<BotOptions> = {
  ...CONNECTION_NAMES,
  name: true,
  uniqueName: true,
  prices: true,
  venue: true,
  maxAgeMs: true,
  account: true,
  statusIntervalMs: true,
  clock: true,
};

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function checkBotOptions(options: BotOptions): void {
  checkOptionNames('defineBot', options, NAMES);
  const { name, prices, venue, account, maxAgeMs, statusIntervalMs } = options;
  if (!botName.safeParse(name).success)
    throw invalid('name', 'The name of the bot is missing or invalid. Use a string of 1 to 128 characters.');
  checkStrings('prices', prices);
  checkType('venue', venue, 'string');
  checkType('account', account, 'function');
  for (const [field, ms] of Object.entries({ maxAgeMs, statusIntervalMs }))
    if (ms !== undefined && !(Number.isFinite(ms) && ms > 0))
      throw invalid(field, `${field} is ${ms}. Use a number of milliseconds above 0.`);
}

export function invalid(field: string, text: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
}

export function isSchema(value: unknown): boolean {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value;
}

export function checkHandler(handler: unknown, method: string): void {
  if (typeof handler === 'function') return;
  const text = `${method} has no handler: its last argument is not a function.`;
  const usage = method === 'onCommand' ? ` ${ON_COMMAND}` : '';
  throw invalid('handler', `${text}${usage}`);
}

const ON_COMMAND =
  'Use onCommand(type, handler) for a bundled type, and onCommand(type, schema, handler) for your own, ' +
  'with a Standard Schema such as z.object({ ... }).';

export function noSchema(type: string): TickbusError {
  const text = `${printable(type)} is no bundled command type, so it needs a schema: onCommand(type, schema, handler).`;
  return invalid('type', text);
}
