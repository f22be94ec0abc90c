// Verdict events: each change of a key's verdict under the bounds of the subscriptions, until close().

import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import type { VerdictChange } from '../../freshness/verdict-poller.ts';
import { FreshnessHarness } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('on("verdict")', () => {
  it('emits each change of each key, and nothing after unsubscribe', async () => {
    const harness = await FreshnessHarness.running();
    const changes: VerdictChange[] = [];
    const stop = harness.bot.on('verdict', (change) => changes.push(change));
    const reported = () => changes.splice(0).map(({ key, was, verdict }) => `${key} ${was} ${verdict}`);
    await harness.advance(100);
    expect(reported()).toEqual(['A undefined fresh']);
    await harness.advance(4_800);
    expect(reported()).toEqual([]);
    await harness.advance(200);
    expect(reported()).toEqual(['A fresh quiet_market']);
    harness.isAlive = false;
    await harness.advance(3_100);
    expect(reported()).toEqual(['A quiet_market gateway_down']);
    harness.link.disconnect();
    await harness.advance(100);
    expect(reported()).toEqual(['A gateway_down link_down']);
    harness.link.reconnect();
    await harness.heartbeat();
    await harness.publishPrice('A');
    await harness.advance(100);
    expect(reported()).toEqual(['A link_down fresh']);
    stop();
    stop();
    await harness.advance(10_000);
    expect(reported()).toEqual([]);
  });

  it('uses the bounds of the subscriptions, also for keys without a value, until close()', async () => {
    const harness = new FreshnessHarness();
    const changes: string[] = [];
    harness.bot.on('verdict', ({ key, verdict }) => changes.push(`${key} ${verdict}`));
    harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A', 'N'], maxAgeMs: 500 });
    await harness.heartbeat();
    await harness.bot.startListening();
    await harness.publishPrice('A');
    await harness.advance(600);
    await harness.bot.close();
    expect(changes).toEqual(['A fresh', 'N quiet_market', 'A quiet_market', 'A link_down', 'N link_down']);
  });

  it('contains a listener that throws, and survives one that closes the subscriber', async () => {
    const harness = await FreshnessHarness.running();
    const received: string[] = [];
    harness.bot.on('verdict', () => {
      throw new Error('thrown by a listener');
    });
    harness.bot.on('verdict', ({ verdict }) => {
      received.push(verdict);
      void harness.bot.close();
    });
    await harness.advance(5_000);
    expect(received).toEqual(['fresh', 'link_down']);
  });
});
