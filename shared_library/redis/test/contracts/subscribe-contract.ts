// Contract of subscribe: once it resolves, the listener gets the raw bytes of each message that arrives. The
// subscription survives a reconnect.

import { describe, expect, it } from 'vitest';
import type { LinkStatus } from '../../transport/link-status.ts';
import { batch, type ContractHarness, listen, spec, untilConnected } from './transport.fixture.ts';

export function describeSubscribe(harness: ContractHarness): void {
  describe('subscribe', () => {
    it('delivers raw bytes of a plain client from the moment it resolves', async () => {
      const channel = spec('plain');
      const seen: Uint8Array[] = [];
      let arrived = () => {};
      const done = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      await harness.subscribing.subscribe(channel, (frame) => {
        seen.push(Uint8Array.from(frame));
        arrived();
      });
      await harness.fixture.publishRaw(channel.name, new Uint8Array([0, 255, 13, 10, 43, 36]));
      await done;
      expect(seen).toEqual([new Uint8Array([0, 255, 13, 10, 43, 36])]);
    });

    it('knows whether all listeners of a command channel are named', async () => {
      const channel = spec('command');
      const { publishing, subscribing } = harness;
      const areNamed = () => publishing.areListenersNamed(channel);
      expect(await areNamed()).toBe(true);
      await subscribing.subscribe(channel, () => {}, true);
      expect(await areNamed()).toBe(true);
      const endOther = await publishing.subscribe(channel, () => {});
      expect(await areNamed()).toBe(false);
      endOther();
      await expect.poll(areNamed).toBe(true);
      await subscribing.subscribe(channel, () => {});
      await expect.poll(areNamed).toBe(false);
      await harness.fixture.cut();
      await harness.fixture.restore();
      await expect.poll(() => areNamed().catch(() => 'not connected')).toBe(false);
    });

    it('delivers nothing after unsubscribe, and can subscribe again', async () => {
      const channel = spec('event');
      const first = await listen(harness.subscribing, channel);
      await harness.publishing.publish(channel, batch(1));
      await first.frames.reaches(1);
      first.unsubscribe();
      const second = await listen(harness.subscribing, channel);
      await harness.publishing.publish(channel, batch(1));
      await second.frames.reaches(1);
      expect(first.frames.items.length).toBe(1);
      expect(second.frames.items.map(({ seq }) => seq)).toEqual([2]);
    });

    it('contains a listener that throws', async () => {
      const channel = spec('event');
      let calls = 0;
      await harness.subscribing.subscribe(channel, () => {
        calls++;
        throw new Error('thrown by a listener');
      });
      await harness.publishing.publish(channel, batch(100));
      await harness.subscribing.read(channel);
      expect(calls).toBe(100);
    });

    it('survives a reconnect and reports the link states', async () => {
      const channel = spec('event', 10);
      const { frames } = await listen(harness.subscribing, channel);
      const statuses: LinkStatus[] = [];
      const back = new Promise<void>((resolve) => {
        harness.subscribing.onStatus((status) => {
          statuses.push(status);
          if (status.type === 'connected') resolve();
        });
      });
      // On a cluster, the link of a channel connects on first use.
      await harness.publishing.head(channel);
      const publisherConnected = untilConnected(harness.publishing);
      await harness.fixture.cut();
      await harness.fixture.restore();
      await Promise.all([back, publisherConnected]);
      await harness.publishing.publish(channel, batch(1));
      await frames.reaches(1);
      expect(statuses.map(({ type }) => type).filter((type) => type !== 'reconnecting')).toEqual([
        'disconnected',
        'connected',
      ]);
      expect(statuses.at(-1)).toMatchObject({ type: 'connected', generation: 2 });
    });
  });
}
