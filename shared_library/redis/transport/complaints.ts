// Leaves the complaint of a program at the head of a channel: now, and again while others contradict its definition.

import type { ChannelSpec } from '../channel/channel.ts';
import { type Complainant, complaintText } from '../channel/complaint.ts';
import type { Transport } from './port.ts';

export interface ComplaintsOptions {
  readonly channel: ChannelSpec & Complainant;
  readonly transport: Pick<Transport, 'complain'>;
  /** The name of this program. */
  readonly author: string;
}

/** A complaint is repeated after this time, in milliseconds: before it is too old to count. */
const REPEAT_MS = 300_000;

export class Complaints {
  readonly #options: ComplaintsOptions;
  #leftAt = Number.NEGATIVE_INFINITY;

  constructor(options: ComplaintsOptions) {
    this.#options = options;
  }

  /**
   * Best effort: a complaint that fails is not repeated earlier, because most fail for lack of a permission.
   *
   * @param now by the monotonic clock
   */
  leave(conflict: Parameters<typeof complaintText>[1], now: number): void {
    if (now - this.#leftAt < REPEAT_MS) return;
    const { channel, transport, author } = this.#options;
    const text = complaintText(channel, conflict, author);
    if (text === undefined) return;
    this.#leftAt = now;
    transport.complain(channel, text).catch(() => {});
  }
}
