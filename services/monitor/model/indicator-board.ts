// The status indicators of the page, and an event for each change of their state.

import type { Indicator, IndicatorName, IndicatorState, Indicators, Severity } from '../page-protocol.ts';
import { rowSentence } from './row-text.ts';
import type { IndicatorStatus } from './status-indicators.ts';

const TITLES: Readonly<Record<IndicatorName, string>> = {
  redis: 'Redis link',
  broker: 'Broker link',
  data: 'Data',
};
const STARTING: IndicatorStatus = { state: 'unknown', text: 'starting', detail: 'The monitor is starting.' };

type AddEvent = (kind: 'feed' | 'data', severity: Severity, text: string) => void;

export class IndicatorBoard {
  readonly #addEvent: AddEvent;
  #indicators: Indicators;
  #hasChanged = true;

  constructor(addEvent: AddEvent, now: number) {
    this.#addEvent = addEvent;
    const starting = { ...STARTING, since: now };
    this.#indicators = { redis: starting, broker: starting, data: starting };
  }

  get all(): Indicators {
    return this.#indicators;
  }

  set(name: IndicatorName, found: IndicatorStatus, now: number): void {
    const status = { ...found, detail: rowSentence(found.detail) };
    const before = this.#indicators[name];
    if (before.state === status.state && before.text === status.text && before.detail === status.detail)
      return;
    const isSame = before.state === status.state;
    if (!isSame) this.#report(name, before.state, status);
    const indicator: Indicator = { ...status, since: isSame ? before.since : Math.round(now) };
    this.#indicators = { ...this.#indicators, [name]: indicator };
    this.#hasChanged = true;
  }

  /** The indicators if one has changed since the previous call. */
  takeChanged(): Indicators | undefined {
    const changed = this.#hasChanged ? this.#indicators : undefined;
    this.#hasChanged = false;
    return changed;
  }

  #report(name: IndicatorName, before: IndicatorState, { state, text, detail }: IndicatorStatus): void {
    const severity = EVENT_SEVERITY[state];
    const isNormalStart = before === 'unknown' && state === 'ok';
    if (name === 'redis' || severity === undefined || isNormalStart) return;
    this.#addEvent(name === 'broker' ? 'feed' : 'data', severity, `${TITLES[name]}: ${text}. ${detail}`);
  }
}

/** Severity of the event for each new state. The Redis link reports its own events. */
const EVENT_SEVERITY: Readonly<Record<IndicatorState, Severity | undefined>> = {
  ok: 'info',
  warn: 'warn',
  bad: 'bad',
  unknown: undefined,
};
