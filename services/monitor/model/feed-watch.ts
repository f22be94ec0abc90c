// What the gateways tell of their broker link: the newest word of the one that holds it, and the changes worth an event.

import type { MessageOf } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';
import type { Severity } from '../protocol.ts';
import type { FeedHeard } from './lamps.ts';

type StatusMessage = MessageOf<typeof CHANNELS.FEED_STATUS>;
type Tell = (kind: 'feed' | 'lease', severity: Severity, text: string) => void;

const SEVERITY: Readonly<Record<FeedHeard['status']['state'], Severity>> = {
  connecting: 'info',
  live: 'info',
  silent: 'warn',
  down: 'bad',
  stopping: 'warn',
  stopped: 'warn',
};

export class FeedWatch {
  readonly #tell: Tell;
  #newest: FeedHeard | undefined;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** Undefined before any gateway was heard. */
  get newest(): FeedHeard | undefined {
    return this.#newest;
  }

  heard({ data: status }: StatusMessage, at: number): void {
    const before = this.#newest?.status;
    // A gateway that has lost its lease can still say something; it is no longer its turn.
    if (before?.lease !== undefined && status.lease !== undefined && status.lease < before.lease) return;
    this.#newest = { status, at };
    if (before?.lease !== status.lease) this.#tellLease(status);
    if (before?.state === status.state && before.detail === status.detail) return;
    const detail = status.detail === undefined ? '' : ` ${status.detail}`;
    this.#tell('feed', SEVERITY[status.state], `The feed ${status.feed} is ${status.state}.${detail}`);
  }

  #tellLease({ lease, holder, feed }: FeedHeard['status']): void {
    const who = holder ?? `The gateway of ${feed}`;
    this.#tell(
      'lease',
      'info',
      lease === undefined ? `${who} holds no lease.` : `${who} holds lease ${lease}.`,
    );
  }
}
