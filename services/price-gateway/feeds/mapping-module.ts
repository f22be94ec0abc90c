// Loads a user's mapping module, and reads its items. An error invalidates only one frame, or one item of it.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import {
  checkedEvent,
  describeValue,
  essentialsOf,
  type UncheckedEvent,
  type VenueEvent,
} from '@tickbus/capture';
import type { FrameItem, MappedStatus, Mapping, VenueMessage } from '../mapping.ts';
import type { SessionListener } from './session-feed.ts';

/** The optional functions of a mapping. */
const OPTIONAL = ['decode', 'subscribe', 'unsubscribe', 'open', 'ping'] as const;

/**
 * Loads the mapping module at `path`, relative to the working directory.
 *
 * @throws Error if the module cannot be loaded, or an export is missing or not a function
 */
export async function loadMapping(path: string): Promise<Mapping> {
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    throw new Error(`Cannot load the mapping ${path}: ${reasonOf(error)}`, { cause: error });
  }
  if (typeof module.read !== 'function')
    throw new Error(`The mapping ${path} must export a function read(frame).`);
  for (const name of OPTIONAL) {
    if (module[name] !== undefined && typeof module[name] !== 'function')
      throw new Error(`The export ${name} of the mapping ${path} must be a function.`);
  }
  const functions = ['read', ...OPTIONAL].flatMap((name) => {
    const call = module[name] as MappingFunction | undefined;
    return call === undefined ? [] : [[name, rejectPromises(name, call)]];
  });
  // An export `venue` or `acknowledges` of another type is ignored.
  const { venue, acknowledges } = module;
  return {
    ...(Object.fromEntries(functions) as Mapping),
    ...(typeof venue === 'string' && { venue }),
    acknowledges: acknowledges === true,
  };
}

type MappingFunction = (argument: unknown, tools?: unknown) => unknown;

/** Makes `call` throw if it returns a promise: an unhandled rejection of the promise would end the gateway. */
function rejectPromises(name: string, call: MappingFunction): MappingFunction {
  return (argument, tools) => {
    const result = call(argument, tools);
    if (!types.isPromise(result)) return result;
    result.catch(() => {});
    throw new TypeError(`${name} returned a promise, but must return its result synchronously.`);
  };
}

/** Maximum invalid items of one frame. Each takes about 10 µs, and 1 MiB of JSON can contain 200,000. */
const MAX_INVALID_ITEMS = 1_000;

/** Receives the items of a frame that are not events of instruments. */
export type ItemListener = Pick<
  SessionListener,
  'onInvalidFrame' | 'onSubscribed' | 'onRefused' | 'onEnd'
> & {
  /** Sends a message; throws if it is not one. Undefined for a recorded session, which has no connection. */
  readonly onSend?: (message: VenueMessage) => void;
};

/**
 * Returns the events of instruments in a frame and reports its other items to the listener. If the mapping throws, or
 * some items are invalid, the frame is reported as invalid once; its other items count.
 */
export function readMappedFrame(
  mapping: Mapping,
  frame: unknown,
  listener: ItemListener,
): readonly VenueEvent[] {
  const events: VenueEvent[] = [];
  let items: readonly FrameItem[];
  try {
    items = [mapping.read(frame) ?? []].flat() as readonly FrameItem[];
  } catch (error) {
    listener.onInvalidFrame(`The mapping cannot parse a frame: ${reasonOf(error)}`, frame);
    return events;
  }
  if (items.length === 0) listener.onInvalidFrame(describeUnread(frame), frame);
  let invalid = 0;
  let firstReason = '';
  for (const item of items) {
    try {
      readItem(item, events, listener);
    } catch (error) {
      if (invalid++ === 0) firstReason = reasonOf(error);
      if (invalid > MAX_INVALID_ITEMS) break;
    }
  }
  if (invalid > 0) listener.onInvalidFrame(describeInvalid(invalid, firstReason), frame);
  return events;
}

/** A frame that is not understood, and not declared as meaningless either. */
export function describeUnread(frame: unknown): string {
  const advice = "Return { kind: 'ignore' } for frames that mean nothing.";
  return `The mapping returned nothing for ${describeFrame(frame)}. ${advice}`;
}

/** The first fields of a frame, because a frame can be large. */
function describeFrame(frame: unknown): string {
  if (typeof frame !== 'object' || frame === null) return `the frame ${describeValue(frame)}`;
  const fields = Object.entries(frame).slice(0, MAX_FIELDS);
  return `a frame with ${fields.map(([name, value]) => `${name}: ${describeValue(value)}`).join(', ') || 'no field'}`;
}

const MAX_FIELDS = 4;

function describeInvalid(count: number, firstReason: string): string {
  const first = `The mapping returned an invalid item: ${firstReason}.`;
  if (count === 1) return first;
  if (count <= MAX_INVALID_ITEMS) return `${first} The frame has ${count} of them.`;
  return `${first} The frame has more than ${MAX_INVALID_ITEMS} of them; what follows is dropped.`;
}

/**
 * The only place that knows what each kind of item does: a further kind takes a case here, and its type in `FrameItem`.
 *
 * @throws TypeError that names the field and its value
 */
function readItem(item: FrameItem, events: VenueEvent[], listener: ItemListener): void {
  switch (item?.kind) {
    case 'trade':
    case 'quote':
    case 'correction':
    case 'cancel':
      events.push(checkedEvent(item));
      return;
    case 'status':
      return readStatus(tradingEventOf(item), events);
    case 'heartbeat':
    case 'ignore':
      return;
    case 'send':
      return listener.onSend?.(item.message);
    case 'subscribed':
      return listener.onSubscribed(textsOf(item.symbols));
    case 'refused': {
      const { symbol, code, isUnknown = false, reason } = item;
      if (typeof symbol !== 'string')
        throw new TypeError(`symbol of a refused item must be a string, but was ${describeValue(symbol)}`);
      return listener.onRefused({ symbol, code, isUnknown, reason });
    }
    case 'error': {
      const { code, reason, retryable = true, retryAfterMs } = item;
      return listener.onEnd({ code, reason, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) });
    }
    default:
      throw new TypeError(`kind must be ${KINDS}, but was ${describeValue(kindOf(item))}`);
  }
}

const KINDS =
  'trade, quote, correction, cancel, status, heartbeat, ignore, send, subscribed, refused or error';

function tradingEventOf(item: MappedStatus): UncheckedEvent<'halt' | 'resume'> {
  const { market, symbol, detail, timestamp } = item;
  if (market !== 'halted' && market !== 'trading') {
    const rule = 'market of a status item must be halted or trading';
    throw new TypeError(`${rule}, but was ${describeValue(market)}`);
  }
  return {
    kind: market === 'halted' ? 'halt' : 'resume',
    symbol,
    ...(detail !== undefined && { detail }),
    ...(timestamp !== undefined && { timestamp }),
  };
}

/** A halt counts even if its time or its reason is invalid. @throws TypeError that names the field and its value */
function readStatus(event: UncheckedEvent<'halt' | 'resume'>, events: VenueEvent[]): void {
  try {
    events.push(checkedEvent(event));
  } catch (error) {
    const essentials = essentialsOf(event);
    if (essentials !== undefined) events.push(essentials);
    throw error;
  }
}

function kindOf(item: unknown): unknown {
  return typeof item === 'object' && item !== null && 'kind' in item ? item.kind : item;
}

/** A text would otherwise count as a list of its characters. */
function textsOf(symbols: unknown): readonly string[] {
  if (Array.isArray(symbols) && symbols.every((symbol) => typeof symbol === 'string')) return [...symbols];
  throw new TypeError(
    `symbols of a subscribed item must be a list of strings, but was ${describeValue(symbols)}`,
  );
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
