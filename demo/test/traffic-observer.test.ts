// The observer of the demo does not change what a command to a bot reports.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { MemoryConnection, MemoryServer } from 'tickbus/testing';
import { expect, it } from 'vitest';
import { TrafficObserver } from '../traffic-observer.ts';

it('a command to a bot that is not there fails at once, although the observer listens', async () => {
  const server = new MemoryServer();
  const observer = new TrafficObserver(new MemoryConnection({ server }), silentLogger, () => {});
  await observer.start();
  await using desk = new RedisPublisher({
    connection: new MemoryConnection({ server }),
    logger: silentLogger,
  });
  const asked = desk.ask(CHANNELS.TRADE_COMMANDS, { bot: 'crozz' }, { type: 'pause', timeoutMs: 5_000 });
  await expect(asked).rejects.toMatchObject({ code: 'TICKBUS_ABSENT' });
  await observer.close();
});
