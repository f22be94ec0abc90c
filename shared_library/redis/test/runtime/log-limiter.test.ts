// LogLimiter: repeated log lines are counted instead of written, and no error fills the log.

import { RecordingLogger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { LogLimiter, loggableError } from '../../runtime/log-limiter.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';

function setUp() {
  const logger = new RecordingLogger();
  const clock = new ManualClock();
  return { logger, clock, log: new LogLimiter(logger, clock) };
}

it('writes 20 lines in 10 s, then one that says how many were suppressed', async () => {
  const { logger, clock, log } = setUp();
  for (let n = 0; n < 1_000; n++) log.write('warn', 'PRICES', { n }, 'Something failed.');
  expect(logger.lines).toHaveLength(20);
  await clock.advance(9_999);
  expect(logger.lines).toHaveLength(20);
  await clock.advance(1);
  expect(logger.lines.slice(20)).toMatchObject([
    {
      level: 'warn',
      fields: { subject: 'PRICES', suppressed: 980, windowMs: 10_000 },
      message: 'Log lines suppressed, because the event repeats: Something failed.',
    },
  ]);
  log.write('warn', 'PRICES', {}, 'Something failed.');
  expect(logger.lines).toHaveLength(22);
});

it('counts each text and subject separately', () => {
  const { logger, log } = setUp();
  for (let n = 0; n < 25; n++)
    for (const subject of ['A', 'B'])
      for (const text of ['One.', 'Two.']) log.write('info', subject, {}, text);
  expect(logger.lines).toHaveLength(4 * 20);
});

it('writes every line of an event that is rarer than 20 in 10 s, and starts no timer for it', async () => {
  const { logger, clock, log } = setUp();
  for (let n = 0; n < 100; n++) {
    log.write('error', 'A', {}, 'Rare.');
    await clock.advance(600);
  }
  expect(logger.lines).toHaveLength(100);
});

it('flush writes what was suppressed, once', async () => {
  const { logger, clock, log } = setUp();
  for (let n = 0; n < 30; n++) log.write('error', 'A', {}, 'Often.');
  log.flush();
  expect(logger.lines.slice(20)).toMatchObject([{ fields: { subject: 'A', suppressed: 10 } }]);
  await clock.advance(20_000);
  expect(logger.lines).toHaveLength(21);
});

it('loggableError shortens an error that quotes a large message', () => {
  const short = new TypeError('no price');
  expect(loggableError(short)).toBe(short);
  const long = loggableError(new TypeError('x'.repeat(255_000))) as Error;
  expect(long.name).toBe('TypeError');
  expect(long.message).toContain('(255000 characters)');
  expect(long.message.length + (long.stack?.length ?? 0)).toBeLessThan(6_000);
  expect(String(loggableError('y'.repeat(255_000))).length).toBeLessThan(1_100);
});
