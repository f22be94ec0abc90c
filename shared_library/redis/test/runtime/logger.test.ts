import { RecordingLogger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { containedLogger } from '../../runtime/logger.ts';

it('containedLogger swallows errors of the logger', () => {
  const broken = () => {
    throw new Error('The disk is full.');
  };
  const logger = containedLogger({ debug: broken, info: broken, warn: broken, error: broken });
  for (const level of ['debug', 'info', 'warn', 'error'] as const)
    expect(() => logger[level]({}, 'a line')).not.toThrow();
});

it('containedLogger forwards every level to the logger', () => {
  const recording = new RecordingLogger();
  const logger = containedLogger(recording);
  for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level]({ n: 1 }, 'a line');
  expect(recording.lines.map(({ level, text, message }) => [level, text, message])).toEqual(
    ['debug', 'info', 'warn', 'error'].map((level) => [level, '{"n":1}', 'a line']),
  );
});
