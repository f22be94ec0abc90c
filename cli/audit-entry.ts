// Publishes an audit entry on AUDIT. The audited action is already done, so a failure to publish only causes a warning.

import type { PayloadInput } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';
import type { Context } from './context.ts';

type AuditEntry = Omit<PayloadInput<typeof CHANNELS.AUDIT>, 'actor' | 'tool'>;

export async function audit(context: Context, publisher: RedisPublisher, entry: AuditEntry): Promise<void> {
  const payload = { actor: context.user.slice(0, 256), tool: 'tickbus', ...entry };
  await publisher.publish(CHANNELS.AUDIT, payload).catch((error: Error) => {
    context.terminal.warn(`Audit entry not published: ${error.message} The command itself is unaffected.`);
  });
}
