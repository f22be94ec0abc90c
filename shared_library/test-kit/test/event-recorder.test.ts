import { describe, expect, it } from 'vitest';
import { EventRecorder, errorOf, RecordingLogger } from '../index.ts';

describe('Recorder', () => {
  it('resolves first() with an item that was recorded before the call', async () => {
    const recorder = new EventRecorder<number>();
    recorder.add(1);
    recorder.add(2);
    expect(await recorder.first((item) => item > 1)).toBe(2);
  });

  it('resolves first() when a matching item arrives', async () => {
    const recorder = new EventRecorder<number>();
    const found = recorder.first((item) => item === 3);
    recorder.add(1);
    recorder.add(3);
    expect(await found).toBe(3);
  });

  it('resolves reaches() once enough items are recorded', async () => {
    const recorder = new EventRecorder<string>();
    const both = recorder.reaches(2);
    recorder.add('a');
    recorder.add('b');
    expect(await both).toEqual(['a', 'b']);
  });
});

describe('RecordingLogger', () => {
  it('keeps the message and the cause of a logged error as searchable text', () => {
    const logger = new RecordingLogger();
    logger.warn({ err: new Error('outer', { cause: 'inner' }) }, 'Failed.');
    expect(logger.lines).toMatchObject([{ level: 'warn', message: 'Failed.' }]);
    expect(logger.lines[0]?.text).toMatch(/outer.*inner/s);
  });
});

describe('errorOf', () => {
  it('throws when the call succeeds', async () => {
    await expect(errorOf(Promise.resolve())).rejects.toThrow('succeeded');
    expect(await errorOf(() => JSON.parse('{'))).toBeInstanceOf(SyntaxError);
  });
});
