// Contract of the lease: one holder, expiry by time, and no publish after the lease ends.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ChannelSpec } from '../../channel/channel.ts';
import type { FenceToken, LeaseOperations, Receipt } from '../../transport/port.ts';
import { decodeEnvelope } from '../../wire/envelope.ts';
import {
  acquireHeld,
  batch,
  type ContractHarness,
  type Held,
  listen,
  outgoing,
  spec,
} from './transport.fixture.ts';

export function describeLease(harness: ContractHarness): void {
  /** Publishes as the holder does: through its exclusive writer, or with its token. */
  const publishAs = (held: Held, channel: ChannelSpec, size: number): Promise<Receipt | undefined> =>
    held.writer?.publish(batch(size)) ?? harness.publishing.publish(channel, batch(size), held.token);

  describe('lease', () => {
    it('acquire grants the lease to one candidate with a token that grows', async () => {
      const channel = spec('state');
      const mine = harness.publishing.lease(channel);
      const theirs = harness.subscribing.lease(channel);
      const token = await acquireToken(mine);
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

    it('acquire reports the remaining time of another holder, and succeeds after expiry', async () => {
      const channel = spec('state');
      const mine = harness.publishing.lease(channel);
      const theirs = harness.subscribing.lease(channel);
      // Otherwise the lease can expire while the other candidate connects.
      await theirs.connect();
      await mine.release(await acquireToken(mine));
      const first = await mine.acquire(300);
      const rejected = await theirs.acquire(300);
      expect(rejected.state === 'taken' && rejected.leftMs).toBeLessThanOrEqual(300);
      const next = await acquireToken(theirs);
      expect(next).toBeGreaterThan(first.state === 'held' ? first.token : Number.POSITIVE_INFINITY);
      await expect(harness.publishing.publish(channel, batch(1))).rejects.toMatchObject({
        code: 'TICKBUS_FENCED',
      });
    });

    it('renew extends the lease by its TTL', async () => {
      const channel = spec('state');
      const mine = harness.publishing.lease(channel);
      const token = await acquireToken(mine);
      await mine.renew(token, 10_000);
      const rejected = await harness.subscribing.lease(channel).acquire(60_000);
      expect(rejected.state === 'taken' && rejected.leftMs).toBeLessThanOrEqual(10_000);
      expect(rejected.state === 'taken' && rejected.leftMs).toBeGreaterThan(0);
    });

    it('acquire holds every candidate off for the same TTL if the server knows no lease', async () => {
      const channel = spec('state');
      const first = await harness.publishing.lease(channel).acquire(60_000);
      const second = await harness.subscribing.lease(channel).acquire(60_000);
      expect(first).toEqual({ state: 'holding_off', leftMs: 60_000 });
      expect(second.state === 'holding_off' && second.leftMs).toBeLessThanOrEqual(60_000);
      for (const fence of [undefined, 0, 1])
        await expect(harness.publishing.publish(channel, batch(1), fence)).rejects.toMatchObject({
          code: 'TICKBUS_FENCED',
        });
    });

    it('acquire holds off for one TTL after the server loses its memory; the old holder cannot renew', async () => {
      const channel = spec('state');
      const mine = harness.publishing.lease(channel);
      const token = await acquireToken(mine);
      await harness.fixture.flush();
      const theirs = harness.subscribing.lease(channel);
      expect(await theirs.acquire(20)).toEqual({ state: 'holding_off', leftMs: 20 });
      expect(await mine.renew(token, 60_000)).toBe(false);
      expect(await mine.release(token)).toBe(false);
      await expect(harness.publishing.publish(channel, batch(1), token)).rejects.toMatchObject({
        code: 'TICKBUS_FENCED',
      });
      expect(await acquireToken(theirs)).toBeGreaterThan(token);
    });

    it.each(['state', 'event', 'command'] as const)(
      'publish on a leased %s channel rejects with TICKBUS_FENCED without the token, and numbers nothing',
      async (kind) => {
        const channel = spec(kind);
        const { frames } = await listen(harness.subscribing, channel);
        const held = await acquireHeld(harness.publishing.lease(channel));
        for (const wrong of [undefined, held.token - 1, held.token + 1]) {
          await expect(harness.publishing.publish(channel, batch(3), wrong)).rejects.toMatchObject({
            code: 'TICKBUS_FENCED',
            message: expect.stringMatching(namesHolder('another process holds the lease')),
          });
        }
        const receipt = await publishAs(held, channel, 2);
        await frames.reaches(2);
        expect(receipt?.first?.seq).toBe(1);
        expect(frames.items.map(({ seq }) => seq)).toEqual([1, 2]);
      },
    );

    it('publish with a released token rejects with TICKBUS_FENCED; publish without a token succeeds', async () => {
      const channel = spec('state');
      const lease = harness.publishing.lease(channel);
      const { token } = await acquireHeld(lease);
      await lease.release(token);
      await expect(harness.publishing.publish(channel, batch(1), token)).rejects.toMatchObject({
        code: 'TICKBUS_FENCED',
        message: expect.stringMatching(new RegExp(`this process has lost the lease of \\S*${channel.name}`)),
      });
      await harness.publishing.publish(channel, batch(1));
    });

    it('renew succeeds after expiry if no other candidate acquired the lease, and fails after a release', async () => {
      const channel = spec('command');
      const mine = harness.publishing.lease(channel);
      const { token } = await acquireHeld(mine);
      await mine.renew(token, 20);
      await untilFenced(() => harness.publishing.publish(channel, batch(1), token));
      expect(await mine.renew(token, 60_000)).toBe(true);
      expect(await harness.subscribing.lease(channel).acquire(60_000)).toMatchObject({ state: 'taken' });
      await harness.publishing.publish(channel, batch(1), token);
      await mine.release(token);
      expect(await mine.renew(token, 60_000)).toBe(false);
    });

    it('publish rejects with TICKBUS_FENCED after an exclusive lease expired, until a holder releases it', async () => {
      const channel = spec('state');
      const mine = harness.publishing.lease(channel);
      const { token } = await acquireHeld(mine);
      await mine.renew(token, 1);
      const theirs = harness.subscribing.lease(channel);
      await sleep(10);
      await expect(harness.publishing.publish(channel, batch(1))).rejects.toMatchObject({
        code: 'TICKBUS_FENCED',
        message: expect.stringMatching(namesHolder('the last holder of the lease')),
      });
      await theirs.release((await acquireHeld(theirs)).token);
      const { first } = await harness.publishing.publish(channel, batch(1));
      expect(first?.seq).toBe(1);
    });

    it('writer.publish resolves with undefined after writer.end()', async () => {
      const channel = spec('state');
      const lease = harness.publishing.lease(channel);
      const { token, writer } = await acquireHeld(lease);
      expect(writer?.room).toBeGreaterThan(1);
      let notifications = 0;
      writer?.onRoom(() => notifications++);
      writer?.end();
      expect(writer?.room).toBe(0);
      expect(notifications).toBeGreaterThan(0);
      expect(await writer?.publish(batch(1))).toBeUndefined();
      expect(await lease.release(token)).toBe(true);
    });

    it('acquire begins a new epoch and keeps the last values', async () => {
      const channel = spec('state');
      const before = await harness.publishing.publish(channel, [outgoing({ n: 1 }, 'a')]);
      const { writer } = await acquireHeld(harness.publishing.lease(channel));
      const after = await writer?.publish([outgoing({ n: 2 }, 'b')]);
      expect(after?.first?.epoch).toBeGreaterThan(before.first?.epoch ?? 0);
      expect(after?.first?.seq).toBe(1);
      const { entries } = await harness.subscribing.read(channel);
      expect(entries.map((frame) => decodeEnvelope(frame).data.n).sort()).toEqual([1, 2]);
    });

    it.each(['state', 'event'] as const)(
      'publishes concurrent batches of any size on a %s channel in call order',
      async (kind) => {
        const channel = spec(kind, kind === 'event' ? 400 : 0);
        const { frames } = await listen(harness.subscribing, channel);
        const held = await acquireHeld(harness.publishing.lease(channel));
        const sizes = [1, 9, 256, 2];
        const receipts = await Promise.all(sizes.map((size) => publishAs(held, channel, size)));
        await frames.reaches(268);
        expect(receipts.map((receipt) => receipt?.first?.seq)).toEqual([1, 2, 11, 267]);
        expect(frames.items.map(({ seq }) => seq)).toEqual(
          Array.from({ length: 268 }, (_, index) => index + 1),
        );
        const { position, entries, at } = await harness.subscribing.read(channel);
        expect(position).toEqual({ epoch: receipts[0]?.first?.epoch, seq: 268 });
        expect(entries).toHaveLength(kind === 'event' ? 268 : 256);
        for (const message of frames.items) expect(message.at).toBeLessThanOrEqual(at);
      },
    );
  });
}

/** The program of the holder, which is this one, and the time of its claim. */
function namesHolder(start: string): RegExp {
  return new RegExp(`${start} .*: \\S+-${process.pid}, since \\d{4}-\\d\\d-\\d\\dT\\S+Z`);
}

/** Publishes until the server rejects the token. */
async function untilFenced(publish: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const error = await publish().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error !== undefined) return expect(error).toMatchObject({ code: 'TICKBUS_FENCED' });
    await sleep(5);
  }
}

async function acquireToken(lease: LeaseOperations): Promise<FenceToken> {
  return (await acquireHeld(lease)).token;
}
