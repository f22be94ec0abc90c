// Loads a user's mapping module, and keeps its mistakes from reaching further than the frame they were made in.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import type { MarketEvent } from '@tickbus/capture';
import type { FrameItem, Mapping } from '../mapping.ts';
import type { SessionListener } from './session-feed.ts';

/** The functions that a mapping may leave out. */
const OPTIONAL = ['subscribe', 'unsubscribe', 'open', 'ping'] as const;

/**
 * The mapping in the module at `path`, which is relative to the working directory.
 *
 * @throws Error that says what is missing or wrong
 */
export async function loadMapping(path: string): Promise<Mapping> {
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    throw new Error(`The mapping ${path} could not be loaded: ${reasonOf(error)}`, { cause: error });
  }
  if (typeof module.read !== 'function')
    throw new Error(`The mapping ${path} must export a function read(frame).`);
  for (const name of OPTIONAL) {
    if (module[name] !== undefined && typeof module[name] !== 'function')
      throw new Error(`What the mapping ${path} exports as ${name} must be a function.`);
  }
  const functions = ['read', ...OPTIONAL].flatMap((name) => {
    const call = module[name] as MappingFunction | undefined;
    return call === undefined ? [] : [[name, rejectPromises(name, call)]];
  });
  // The two that are no functions are used where they are of their type only.
  const { venue, acknowledges } = module;
  return {
    ...(Object.fromEntries(functions) as Mapping),
    ...(typeof venue === 'string' && { venue }),
    acknowledges: acknowledges === true,
  };
}

type MappingFunction = (asked: unknown) => unknown;

/** A promise would be taken for the answer, and one that fails later would end the gateway: it is a mistake at once. */
function rejectPromises(name: string, call: MappingFunction): MappingFunction {
  return (asked) => {
    const answer = call(asked);
    if (!types.isPromise(answer)) return answer;
    answer.catch(() => {});
    throw new TypeError(`${name} returned a promise, but it must answer at once.`);
  };
}

/** Who hears of what a frame says besides its market events. */
export type ItemListener = Pick<SessionListener, 'onInvalidFrame' | 'onSubscribed' | 'onRefused' | 'onEnd'>;

/**
 * The market events in a frame; its other items are told. A mapping that throws, or that returns what is no item, makes the
 * frame an invalid one.
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
    listener.onInvalidFrame(`The mapping cannot read a frame: ${reasonOf(error)}`);
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
      throw new TypeError(`${JSON.stringify(item)} is no item.`);
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
