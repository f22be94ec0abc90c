// The contract of the lease: held by one, ended by time, and nobody publishes past it.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../../core/envelope.ts';
import type { FenceToken, LeaseOperations } from '../../core/ports.ts';
import { batch, listen, outgoing, spec, type TransportBench } from './transport-bench.ts';

export function describeLease(bench: TransportBench): void {
  describe('lease', () => {
    it('is held by one, and its token grows', async () => {
      const channel = spec('state');
      const mine = bench.publishing.lease(channel);
      const theirs = bench.subscribing.lease(channel);
      const token = await take(mine);
      expect(token).toBeGreaterThan(0);
      expect(await theirs.acquire(60_000)).toEqual({ state: 'taken', leftMs: expect.any(Number) });
      expect(await mine.renew(token, 60_000)).toBe(true);
      expect(await theirs.renew(token + 1, 60_000)).toBe(false);
      expect(await theirs.release(token + 1)).toBe(false);
      expect(await mine.release(token)).toBe(true);
      expect(await mine.release(token)).toBe(false);
      const next = await theirs.acquire(60_000);
      expect(next.state === 'held' && next.token).toBeGreaterThan(token);
      expect(await mine.renew(token, 60_000)).toBe(false);
    });

    it('ends by itself when it is not renewed, and tells how long that takes', async () => {
      const channel = spec('state');
      const mine = bench.publishing.lease(channel);
      const theirs = bench.subscribing.lease(channel);
      await mine.release(await take(mine));
      const first = await mine.acquire(50);
      const told = await theirs.acquire(50);
      expect(told.state === 'taken' && told.leftMs).toBeLessThanOrEqual(50);
      const next = await take(theirs);
      expect(next).toBeGreaterThan(first.state === 'held' ? first.token : Number.POSITIVE_INFINITY);
      await expect(bench.publishing.publish(channel, batch(1))).rejects.toMatchObject({
        code: 'TICKBUS_FENCED',
      });
    });

    it('lasts for its TTL from each renewal on', async () => {
      const channel = spec('state');
      const mine = bench.publishing.lease(channel);
      const token = await take(mine);
      await mine.renew(token, 10_000);
      const told = await bench.subscribing.lease(channel).acquire(60_000);
      expect(told.state === 'taken' && told.leftMs).toBeLessThanOrEqual(10_000);
      expect(told.state === 'taken' && told.leftMs).toBeGreaterThan(0);
    });

    it('goes to nobody for one TTL where the server knows of none, and everybody waits for the same end', async () => {
      const channel = spec('state');
      const first = await bench.publishing.lease(channel).acquire(60_000);
      const second = await bench.subscribing.lease(channel).acquire(60_000);
      expect(first).toEqual({ state: 'holding_off', leftMs: 60_000 });
      expect(second.state === 'holding_off' && second.leftMs).toBeLessThanOrEqual(60_000);
      for (const fence of [undefined, 0, 1])
        await expect(bench.publishing.publish(channel, batch(1), fence)).rejects.toMatchObject({
          code: 'TICKBUS_FENCED',
        });
    });

    it('goes to nobody for one TTL after the server lost its memory, and the old holder is not renewed', async () => {
      const channel = spec('state');
      const mine = bench.publishing.lease(channel);
      const token = await take(mine);
      await bench.fixture.flush();
      const theirs = bench.subscribing.lease(channel);
      expect(await theirs.acquire(20)).toEqual({ state: 'holding_off', leftMs: 20 });
      expect(await mine.renew(token, 60_000)).toBe(false);
      expect(await mine.release(token)).toBe(false);
      await expect(bench.publishing.publish(channel, batch(1), token)).rejects.toMatchObject({
        code: 'TICKBUS_FENCED',
      });
      expect(await take(theirs)).toBeGreaterThan(token);
    });

    it('fences: all of a batch is refused without the token, and nothing of it is seen or counted', async () => {
      const channel = spec('state');
      const { frames } = await listen(bench.subscribing, channel);
      const token = await take(bench.publishing.lease(channel));
      for (const wrong of [undefined, token - 1, token + 1]) {
        await expect(bench.publishing.publish(channel, batch(3), wrong)).rejects.toMatchObject({
          code: 'TICKBUS_FENCED',
        });
      }
      const { first } = await bench.publishing.publish(channel, batch(2), token);
      await frames.reach(2);
      expect(first?.seq).toBe(1);
      expect(frames.all.map(({ seq }) => seq)).toEqual([1, 2]);
    });

    it('refuses a holder whose lease has ended, even when nobody has taken it', async () => {
      const channel = spec('state');
      const lease = bench.publishing.lease(channel);
      const token = await take(lease);
      await lease.release(token);
      await expect(bench.publishing.publish(channel, batch(1), token)).rejects.toMatchObject({
        code: 'TICKBUS_FENCED',
      });
      await bench.publishing.publish(channel, batch(1));
    });

    it('is renewed after its end where nobody was given it since, and not after a release', async () => {
      const channel = spec('state');
      const mine = bench.publishing.lease(channel);
      const token = await take(mine);
      await mine.renew(token, 20);
      await refused(() => bench.publishing.publish(channel, batch(1), token));
      expect(await mine.renew(token, 60_000)).toBe(true);
      expect(await bench.subscribing.lease(channel).acquire(60_000)).toMatchObject({ state: 'taken' });
      await bench.publishing.publish(channel, batch(1), token);
      await mine.release(token);
      expect(await mine.renew(token, 60_000)).toBe(false);
    });

    it('begins a new epoch with every lease, and keeps the last values', async () => {
      const channel = spec('state');
      const before = await bench.publishing.publish(channel, [outgoing({ n: 1 }, 'a')]);
      const token = await take(bench.publishing.lease(channel));
      const after = await bench.publishing.publish(channel, [outgoing({ n: 2 }, 'b')], token);
      expect(after.first?.epoch).toBeGreaterThan(before.first?.epoch ?? 0);
      expect(after.first?.seq).toBe(1);
      const { entries } = await bench.subscribing.read(channel);
      expect(entries.map((frame) => decodeEnvelope(frame).data.n).sort()).toEqual([1, 2]);
    });
  });
}

/** Waits until the server lets nobody do it under this token any more. */
async function refused(publish: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const error = await publish().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error !== undefined) return expect(error).toMatchObject({ code: 'TICKBUS_FENCED' });
    await sleep(5);
  }
}

/** Asks until it is given, and then holds it for a minute. A server that knows nothing of it makes us wait first. */
async function take(lease: LeaseOperations): Promise<FenceToken> {
  for (let attempt = await lease.acquire(20); ; attempt = await lease.acquire(20)) {
    if (attempt.state === 'held') {
      // On a machine that is busy the short time can be over by now: then it is tried again.
      if (await lease.renew(attempt.token, 60_000)) return attempt.token;
      continue;
    }
    await sleep(attempt.leftMs + 1);
  }
}
