// Logs the statuses of a subscriber or a link with their times.

import type { SubscriberStatus } from 'tickbus';

interface StatusEntry {
  /** Milliseconds of `performance.now()`. */
  readonly at: number;
  readonly status: SubscriberStatus;
}

type StatusType = SubscriberStatus['type'];

export class StatusLog {
  readonly entries: StatusEntry[] = [];
  #waiting: { readonly matches: (entry: StatusEntry) => boolean; readonly resolve: (at: number) => void }[] =
    [];

  readonly add = (status: SubscriberStatus): void => {
    const entry = { at: performance.now(), status };
    this.entries.push(entry);
    const ready = this.#waiting.filter(({ matches }) => matches(entry));
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { resolve } of ready) resolve(entry.at);
  };

  count(type: StatusType): number {
    return this.entries.filter(({ status }) => status.type === type).length;
  }

  /** Resolves with the time of the first status of this type at or after `since`. */
  first(type: StatusType, since = 0): Promise<number> {
    const matches = ({ at, status }: StatusEntry) => status.type === type && at >= since;
    const found = this.entries.find(matches);
    if (found !== undefined) return Promise.resolve(found.at);
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  /** The last 20 statuses, for an error message. */
  toString(): string {
    const [first] = this.entries;
    const line = ({ at, status }: StatusEntry) => `${Math.round(at - (first?.at ?? 0))} ms ${status.type}`;
    return this.entries.slice(-20).map(line).join(', ');
  }
}
