// The ledger with the real library, in memory.

import { defineChannel, RedisPublisher, RedisSubscriber } from 'tickbus';
import { MemoryConnection } from 'tickbus/testing';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { checkHistory } from '../check-history.ts';
import { Ledger } from '../ledger.ts';

const FILLS = defineChannel('FILLS', {
  kind: 'event',
  key: 'symbol',
  messages: { fill: z.object({ symbol: z.string(), n: z.number() }) },
});

it('records handled messages and the outcome of each publish', async () => {
  const connection = new MemoryConnection();
  const publisher = new RedisPublisher({ connection });
  await using subscriber = new RedisSubscriber({ connection });
  const ledger = new Ledger();
  const send = (symbol: string) =>
    ledger.publish(FILLS, symbol, (n) => publisher.publish(FILLS, { symbol, n }));

  await send('EARLY');
  const recorder = ledger.recordHandler('bot', FILLS);
  subscriber.subscribe(FILLS, recorder.onMessage);
  subscriber.on('gap', recorder.onGap);
  await subscriber.startListening();
  recorder.expectFromHere();
  await Promise.all(['A', 'B', 'A'].map(send));
  await recorder.until(({ seen }) => seen.length === 3);
  connection.disconnect();
  const refused = await send('A');
  expect(refused.outcome).toBe('refused');
  const { figures, problems } = checkHistory(ledger.sent, ledger.histories);
  expect(problems).toEqual([]);
  expect(figures).toMatchObject({ published: 4, delivered: 3, silent_lost: 0 });
  expect(recorder.history.seen.map(({ key }) => key)).toEqual(['A', 'B', 'A']);
});

it('a message that the handler did not record is a silent loss', async () => {
  const connection = new MemoryConnection();
  const publisher = new RedisPublisher({ connection });
  await using subscriber = new RedisSubscriber({ connection });
  const ledger = new Ledger();
  const recorder = ledger.recordHandler('bot', FILLS);
  subscriber.subscribe(FILLS, (message) => message.data.n !== 1 && recorder.onMessage(message));
  await subscriber.startListening();
  recorder.expectFromHere();
  for (let i = 0; i < 3; i++)
    await ledger.publish(FILLS, 'A', (n) => publisher.publish(FILLS, { symbol: 'A', n }));
  await recorder.until(({ seen }) => seen.length === 2);
  expect(checkHistory(ledger.sent, ledger.histories).figures.silent_lost).toBe(1);
});

it.each([
  [false, [1, 2, 1]],
  [true, [1, 2]],
])(
  'records a last value that is given again, unless that is allowed (%s)',
  (mayRepeatLastValues, recorded) => {
    const { history, onMessage } = new Ledger().recordHandler('bot', FILLS, { mayRepeatLastValues });
    const message = (n: number) => ({ data: { symbol: 'A', n }, epoch: 1, seq: n });
    onMessage(message(1));
    onMessage({ ...message(2), snapshot: true });
    onMessage({ ...message(1), snapshot: true });
    expect(history.seen.map(({ n }) => n)).toEqual(recorded);
  },
);

it('records a live message that is delivered twice, also if last values may be given again', () => {
  const { history, onMessage } = new Ledger().recordHandler('bot', FILLS, { mayRepeatLastValues: true });
  for (let times = 2; times > 0; times--) onMessage({ data: { symbol: 'A', n: 1 }, epoch: 1, seq: 1 });
  expect(history.seen).toHaveLength(2);
});
