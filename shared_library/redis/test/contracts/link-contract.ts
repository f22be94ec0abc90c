// Contract of the link: status events, rejection while disconnected, and closing.

import { describe, expect, it } from 'vitest';
import { batch, type ContractHarness, spec, untilConnected } from './transport.fixture.ts';

export function describeLink(harness: ContractHarness): void {
  describe('the link', () => {
    it('publish rejects with TICKBUS_NOT_CONNECTED while disconnected, and is not sent later', async () => {
      const channel = spec('event');
      // On a cluster, the link of a channel connects on first use.
      await harness.publishing.head(channel);
      const down = new Promise<void>((resolve) => {
        harness.publishing.onStatus((status) => status.type === 'disconnected' && resolve());
      });
      const back = untilConnected(harness.publishing);
      await harness.fixture.cut();
      await down;
      const refused = harness.publishing.publish(channel, batch(1));
      await expect(refused).rejects.toMatchObject({ code: 'TICKBUS_NOT_CONNECTED', retryable: true });
      await harness.fixture.restore();
      await back;
      expect((await harness.publishing.publish(channel, batch(1))).first?.seq).toBe(1);
    });

    it('contains a status listener that throws', async () => {
      const link = harness.fixture.link();
      const received: string[] = [];
      link.onStatus(() => {
        throw new Error('thrown by a listener');
      });
      link.onStatus(({ type }) => received.push(type));
      await link.connect();
      expect(received).toContain('connected');
    });

    it('connect can be called repeatedly and reports "connected" once', async () => {
      const link = harness.fixture.link();
      const received: string[] = [];
      link.onStatus(({ type }) => received.push(type));
      await Promise.all([link.connect(), link.connect()]);
      await link.connect();
      expect(received.filter((type) => type === 'connected')).toEqual(['connected']);
    });

    it('every call rejects with TICKBUS_CLOSED after close', async () => {
      const channel = spec('event');
      const link = harness.fixture.link();
      await link.connect();
      await link.close();
      await link.close();
      for (const call of [
        link.connect(),
        link.publish(channel, batch(1)),
        link.read(channel),
        link.subscribe(channel, () => {}),
      ]) {
        await expect(call).rejects.toMatchObject({ code: 'TICKBUS_CLOSED' });
      }
    });
  });
}
