// Loads a user's mapping module. An error in `read` invalidates only the frame that it was called with.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import type { MarketEvent } from '@tickbus/capture';
import type { FrameItem, Mapping } from '../mapping.ts';
import type { SessionListener } from './session-feed.ts';

/** The optional functions of a mapping. */
const OPTIONAL = ['subscribe', 'unsubscribe', 'open', 'ping'] as const;

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

type MappingFunction = (argument: unknown) => unknown;

/** Makes `call` throw if it returns a promise: an unhandled rejection of the promise would end the gateway. */
function rejectPromises(name: string, call: MappingFunction): MappingFunction {
  return (argument) => {
    const result = call(argument);
    if (!types.isPromise(result)) return result;
    result.catch(() => {});
    throw new TypeError(`${name} returned a promise, but must return its result synchronously.`);
  };
}

/** Receives the items of a frame that are not market events. */
export type ItemListener = Pick<SessionListener, 'onInvalidFrame' | 'onSubscribed' | 'onRefused' | 'onEnd'>;

/**
 * Returns the market events in a frame and reports its other items to the listener. If the mapping throws or returns
 * something that is not an item, the frame is reported as invalid.
 */
export function readMappedFrame(
  mapping: Mapping,
  frame: unknown,
  listener: ItemListener,
): readonly MarketEvent[] {
  const events: MarketEvent[] = [];
  try {
    for (const item of [mapping.read(frame) ?? []].flat() as readonly FrameItem[]) {
      if (item.kind === 'trade' || item.kind === 'quote') events.push(item);
      else reportItem(item, listener);
    }
  } catch (error) {
    listener.onInvalidFrame(`The mapping cannot parse a frame: ${reasonOf(error)}`);
  }
  return events;
}

function reportItem(item: Exclude<FrameItem, MarketEvent>, listener: ItemListener): void {
  switch (item.kind) {
    case 'subscribed':
      return listener.onSubscribed([...item.symbols]);
    case 'refused': {
      const { symbol, code, isUnknown = false, reason } = item;
      return listener.onRefused({ symbol, code, isUnknown, reason });
    }
    case 'error': {
      const { code, reason, retryable = true } = item;
      return listener.onEnd({ code, reason, retryable });
    }
    default:
      throw new TypeError(`${JSON.stringify(item)} is not a valid mapping item.`);
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
