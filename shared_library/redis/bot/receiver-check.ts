// Warns in the log about commands to a name that no program has: published does not mean received.

import { presenceList } from '../presence.ts';
import { BoundedMap } from '../runtime/bounded-map.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { printable } from '../runtime/printable.ts';
import type { Connection } from '../transport/port.ts';

export interface ReceiverCheckOptions {
  readonly bot: string;
  readonly connection: Connection;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Milliseconds for which a name is not looked up again. */
const RECHECK_MS = 10_000;
const MAX_NAMES = 1_000;
const TEXT =
  'A command has no receiver: no program of that name is in PRESENCE. A plain client may have received it. Check the ' +
  'name, and use publisher.ask if it matters.';

export class ReceiverCheck {
  readonly #options: ReceiverCheckOptions;
  readonly #names = new BoundedMap<{ readonly checkedAt: number; readonly isAbsent: boolean }>({
    limit: MAX_NAMES,
    isKept: () => false,
    onEvicted: () => {},
  });

  constructor(options: ReceiverCheckOptions) {
    this.#options = options;
  }

  /** Looks up a receiver to which a command was published, and warns once for each absence. Never rejects. */
  async check(to: string, type: string): Promise<void> {
    const { bot, connection, clock, logger } = this.#options;
    const now = clock.monotonic();
    const known = this.#names.get(to);
    if (known !== undefined && now - known.checkedAt < RECHECK_MS) return;
    const wasAbsent = known?.isAbsent === true;
    this.#names.set(to, { checkedAt: now, isAbsent: wasAbsent });
    try {
      const isAbsent = (await presenceList(connection)).every(({ name }) => name !== to);
      this.#names.set(to, { checkedAt: now, isAbsent });
      if (isAbsent && !wasAbsent) logger.warn({ bot, type, to: printable(to) }, TEXT);
    } catch (error) {
      logger.debug({ bot, reason: String(error) }, 'Whether a command has a receiver is unknown.');
    }
  }
}
