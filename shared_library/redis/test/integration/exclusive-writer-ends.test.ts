// Messages of the exclusive writer that end their key: delivered, numbered, and their last value is removed.

import { expect, it } from 'vitest';
import { STATE, useWriterHarness } from './exclusive-writer.fixture.ts';

const { open } = useWriterHarness();
const LAST_KEY = 'tickbus:{STATE}:last';

it.each([
  ['set then end', ['a', '-a'], []],
  ['end then set', ['-a', 'a'], ['a']],
  ['set, end, set', ['a', '-a', 'a'], ['a']],
  ['end, set, end', ['-a', 'a', '-a'], []],
  ['ends alone', ['-a', '-b'], []],
  ['a frame of 20', ['-c', ...'bdefghijklmnopqrstu', '-u'], [...'bdefghijklmnopqrst']],
])('in one batch: %s', async (_, steps, keys) => {
  const harness = await open();
  const { publisher } = await harness.holder();
  await publisher.publish(STATE, { key: 'c', n: 0 });
  const sent = ['-c', ...steps].map((step, index) =>
    publisher.publish(STATE, { key: step.replace('-', ''), n: index + 1 }, { endsKey: step.startsWith('-') }),
  );
  const outcomes = await Promise.all(sent);
  const { epoch } = outcomes[0]?.position ?? {};
  expect(outcomes.map(({ position }) => position)).toEqual(
    outcomes.map((_, index) => ({ epoch, seq: index + 2 })),
  );
  await harness.untilQuiet();
  expect(harness.received.map(({ n }) => n)).toEqual(Array.from({ length: steps.length + 2 }, (_, n) => n));
  expect((await harness.admin.hKeys(LAST_KEY)).sort()).toEqual(keys);
});
