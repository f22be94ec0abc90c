// Verdict events: each change of each key by the bounds of the subscriptions, until close().

import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import type { VerdictChange } from '../../freshness/verdict-poller.ts';
import { World } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('on("verdict")', () => {
  it('emits each change of each key, and nothing after unsubscribe', async () => {
    const world = await World.running();
    const changes: VerdictChange[] = [];
    const stop = world.bot.on('verdict', (change) => changes.push(change));
    const told = () => changes.splice(0).map(({ key, was, verdict }) => `${key} ${was} ${verdict}`);
    await world.pass(100);
    expect(told()).toEqual(['A undefined fresh']);
    await world.pass(4_800);
    expect(told()).toEqual([]);
    await world.pass(200);
    expect(told()).toEqual(['A fresh quiet_market']);
    world.isAlive = false;
    await world.pass(3_100);
    expect(told()).toEqual(['A quiet_market gateway_down']);
    world.link.disconnect();
    await world.pass(100);
    expect(told()).toEqual(['A gateway_down link_down']);
    world.link.reconnect();
    await world.heartbeat();
    await world.price('A');
    await world.pass(100);
    expect(told()).toEqual(['A link_down fresh']);
    stop();
    stop();
    await world.pass(10_000);
    expect(told()).toEqual([]);
  });

  it('uses the bounds of the subscriptions, includes keys without a value, and emits link_down on close()', async () => {
    const world = new World();
    const changes: string[] = [];
    world.bot.on('verdict', ({ key, verdict }) => changes.push(`${key} ${verdict}`));
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A', 'N'], maxAgeMs: 500 });
    await world.heartbeat();
    await world.bot.startListening();
    await world.price('A');
    await world.pass(600);
    await world.bot.close();
    expect(changes).toEqual(['A fresh', 'N quiet_market', 'A quiet_market', 'A link_down', 'N link_down']);
  });

  it('contains a listener that throws, and survives one that closes the subscriber', async () => {
    const world = await World.running();
    const heard: string[] = [];
    world.bot.on('verdict', () => {
      throw new Error('thrown by a listener');
    });
    world.bot.on('verdict', ({ verdict }) => {
      heard.push(verdict);
      void world.bot.close();
    });
    await world.pass(5_000);
    expect(heard).toEqual(['fresh', 'link_down']);
  });
});
