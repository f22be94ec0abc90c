// A new epoch is larger than every epoch that the head or the caller knows.

import { describe, expect, it } from 'vitest';
import { HEAD_KEY, OTHER_BRANCH, STATE, useWriterHarness } from './exclusive-writer.fixture.ts';

const TTL_MS = 60_000;
const BATCH = [{ key: 'a', json: '{"data":{"n":1}}' }];

const { connectedCandidate, open, scripts, sharedConnection } = useWriterHarness();

/** Epochs are milliseconds of the server clock. After the clock is set back, the last epoch lies in the future. */
describe('on a server whose clock was set back', () => {
  const ahead = () => Date.now() + 3_600_000;

  it('a claim begins a larger epoch', async () => {
    const harness = await open();
    await (await harness.holder())[Symbol.asyncDispose]();
    const epoch = ahead();
    await harness.admin.hSet(HEAD_KEY, 'epoch', epoch);
    const claimed = await (await connectedCandidate(harness)).acquire(TTL_MS);
    const receipt = claimed.state === 'held' ? await claimed.writer?.publish(BATCH) : undefined;
    expect(receipt?.first?.epoch).toBeGreaterThan(epoch);
  });

  it('a resume begins a larger epoch, although the head has an older one', async () => {
    const harness = await open();
    const { commands, client } = await scripts(harness);
    const { lease } = await harness.holder();
    const epoch = ahead();
    const resumed = await commands.resume(
      client,
      TTL_MS,
      lease.token ?? 0,
      { epoch, published: 1 },
      async () => {},
    );
    expect(resumed).toMatchObject({ state: 'activated' });
    expect(Number(await harness.admin.hGet(HEAD_KEY, 'epoch'))).toBeGreaterThan(epoch);
  });

  it('a shared publish begins a larger epoch if another branch numbered the last one', async () => {
    const harness = await open();
    const { publishing } = sharedConnection(harness);
    await publishing.connect();
    await publishing.publish(STATE, BATCH);
    const epoch = ahead();
    await harness.admin.hSet(HEAD_KEY, { epoch, branch: OTHER_BRANCH });
    const { first } = await publishing.publish(STATE, BATCH);
    expect(first?.epoch).toBeGreaterThan(epoch);
  });

  it('a shared publish begins a larger epoch if the publisher has seen a later one than the head', async () => {
    const harness = await open();
    const { publishing } = sharedConnection(harness);
    await publishing.connect();
    await publishing.publish(STATE, BATCH);
    const epoch = ahead();
    const { first } = await publishing.publish(STATE, BATCH, undefined, { epoch, seq: 1 });
    expect(first?.epoch).toBeGreaterThan(epoch);
    expect(first?.seq).toBe(1);
  });
});
