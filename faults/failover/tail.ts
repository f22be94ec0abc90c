// The messages that a master has and a replica lacks.

import { ok } from 'node:assert/strict';
import type { LocalRedis } from '@tickbus/local-redis';
import { FILLS } from '../fault-channels.ts';
import type { Testbed } from '../testbed.ts';

/** Checks that the replica lacks messages of the master, and notes how many. */
export async function expectTail(testbed: Testbed, master: LocalRedis, replica: LocalRedis): Promise<void> {
  const missing = (await headOf(master)) - (await headOf(replica));
  ok(missing > 0, 'the replica lacks messages of its master');
  testbed.note(`a replica lacks ${missing} messages of ${FILLS}`);
}

/** The number of the last message of FILLS. */
async function headOf(server: LocalRedis): Promise<number> {
  // A replica of a cluster answers only after READONLY. Elsewhere the command is an error, which does not matter.
  const reply = await server.answers('READONLY', `HGET tickbus:{${FILLS}}:head seq`);
  return Number(/\r\n\$\d+\r\n(\d+)\r\n$/.exec(reply)?.[1]);
}
