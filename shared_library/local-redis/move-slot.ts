// Moves a slot with its keys between two masters of a cluster, as `redis-cli --cluster reshard` does.

import type { LocalRedis } from './local-redis.ts';

const MIGRATE_TIMEOUT_MS = 5_000;

export interface SlotOwner {
  readonly server: LocalRedis;
  readonly id: string;
}

/** The two nodes are prepared, one key was moved, all keys were moved. */
export type MoveStep = 'prepared' | 'key' | 'keys';

/** @param onStep called after each step */
export async function moveSlot(
  slot: number,
  from: SlotOwner,
  to: SlotOwner,
  onStep: (step: MoveStep) => Promise<void> = async () => {},
): Promise<void> {
  await expectOk(to, `CLUSTER SETSLOT ${slot} IMPORTING ${from.id}`);
  await expectOk(from, `CLUSTER SETSLOT ${slot} MIGRATING ${to.id}`);
  await onStep('prepared');
  for (;;) {
    const reply = await from.server.answers(`CLUSTER GETKEYSINSLOT ${slot} 1`);
    const key = /^\*1\r\n\$\d+\r\n(.*)\r\n/s.exec(reply)?.[1];
    if (key === undefined) break;
    await expectOk(from, `MIGRATE 127.0.0.1 ${to.server.port} "${key}" 0 ${MIGRATE_TIMEOUT_MS}`);
    await onStep('key');
  }
  await onStep('keys');
  await expectOk(to, `CLUSTER SETSLOT ${slot} NODE ${to.id}`);
  await expectOk(from, `CLUSTER SETSLOT ${slot} NODE ${to.id}`);
}

/** @throws Error if the server replies with an error */
export async function expectOk({ server }: Pick<SlotOwner, 'server'>, command: string): Promise<void> {
  const reply = await server.answers(command);
  if (!reply.startsWith('+'))
    throw new Error(`The server on port ${server.port} replied to ${command}: ${reply}`);
}
