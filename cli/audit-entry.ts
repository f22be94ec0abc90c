// Publishes an audit entry on AUDIT. The audited action is already done, so a failure to publish only causes a warning.

import { setTimeout as sleep } from 'node:timers/promises';
import type { PayloadInput, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';
import type { Context } from './context.ts';

type AuditEntry = Omit<PayloadInput<typeof CHANNELS.AUDIT>, 'actor' | 'tool'>;

/** How long the entry is published again while the link is down. The link may have dropped with the audited command. */
const RETRY_FOR_MS = 5_000;
const RETRY_MS = 250;

export async function audit(context: Context, publisher: RedisPublisher, entry: AuditEntry): Promise<void> {
  const payload = { actor: context.user.slice(0, 256), tool: 'tickbus', ...entry };
  const giveUpAt = performance.now() + RETRY_FOR_MS;
  for (;;) {
    try {
      await publisher.publish(CHANNELS.AUDIT, payload);
      return;
    } catch (caught) {
      const { message, retryable } = caught as TickbusError;
      if (!retryable || performance.now() > giveUpAt)
        return context.terminal.warn(
          `Audit entry not published: ${message} The command itself is unaffected.`,
        );
      await sleep(RETRY_MS);
    }
  }
}
