// Contract of demand: which keys are requested, by how many subscribers, and until when.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MAX_DEMAND } from '../../channel/limits.ts';
import { type ContractHarness, spec } from './transport.fixture.ts';

export function describeDemand(harness: ContractHarness): void {
  describe('demand', () => {
    it('counts the subscribers of each key until they withdraw it', async () => {
      const channel = spec('state');
      const [mine, theirs] = [harness.publishing.demand(channel), harness.subscribing.demand(channel)];
      expect(await mine.wanted()).toEqual(new Map());
      await mine.declare('me', ['a', 'b c', 'ü\n💹', ''], 60_000);
      await theirs.declare('them', ['a'], 60_000);
      const counted = new Map([
        ['a', 2],
        ['b c', 1],
        ['ü\n💹', 1],
        ['', 1],
      ]);
      expect(new Map(await theirs.wanted())).toEqual(counted);
      await mine.withdraw('me', ['a', 'b c', 'never declared']);
      await theirs.withdraw('them', ['']);
      expect(new Map(await mine.wanted())).toEqual(
        new Map([
          ['a', 1],
          ['ü\n💹', 1],
          ['', 1],
        ]),
      );
    });

    it('expires only the keys that are not renewed in time', async () => {
      const channel = spec('state');
      const demand = harness.publishing.demand(channel);
      await demand.declare('dead', ['a', 'b'], 30);
      await demand.declare('alive', ['b', 'c'], 30);
      await demand.declare('alive', ['b', 'c'], 60_000);
      let wanted = await demand.wanted();
      while (wanted.has('a')) {
        await sleep(5);
        wanted = await demand.wanted();
      }
      expect(new Map(wanted)).toEqual(
        new Map([
          ['b', 1],
          ['c', 1],
        ]),
      );
    });

    it('accepts 20,000 keys in one call', async () => {
      const demand = harness.publishing.demand(spec('state'));
      const keys = Array.from({ length: 20_000 }, (_, index) => `key-${index}`);
      await demand.declare('greedy', keys, 60_000);
      expect((await demand.wanted()).size).toBe(20_000);
      await demand.withdraw('greedy', keys);
      expect((await demand.wanted()).size).toBe(0);
    });

    it('declares and withdraws more keys than a call of a function can take', async () => {
      const demand = harness.publishing.demand(spec('state'));
      const keys = Array.from({ length: 150_000 }, (_, index) => `key-${index}`);
      await demand.declare('greedy', keys, 60_000);
      expect((await demand.wanted()).size).toBe(150_000);
      await demand.withdraw('greedy', keys);
      expect((await demand.wanted()).size).toBe(0);
    });

    it('declines new requests at its limit, and renews those that exist', async () => {
      const channel = spec('state');
      const demand = harness.publishing.demand(channel);
      const keys = Array.from({ length: MAX_DEMAND - 1 }, (_, index) => `key-${index}`);
      await demand.declare('first', ['old'], 60_000);
      await demand.declare('greedy', keys, 60_000);
      const declined = demand.declare('late', ['new', 'newer'], 60_000);
      await expect(declined).rejects.toMatchObject({
        code: 'TICKBUS_LIMIT_EXCEEDED',
        message: expect.stringMatching(new RegExp(`^2 keys of (paper:)?${channel.name} were not requested`)),
      });
      await demand.declare('first', ['old'], 60_000);
      const wanted = await demand.wanted();
      expect([wanted.size, wanted.get('old'), wanted.get('new')]).toEqual([MAX_DEMAND, 1, undefined]);
      await demand.withdraw('greedy', ['key-0']);
      await demand.declare('late', ['new'], 60_000);
      expect((await demand.wanted()).get('new')).toBe(1);
    });

    it('is empty after the server loses its memory', async () => {
      const demand = harness.publishing.demand(spec('state'));
      await demand.declare('me', ['a'], 60_000);
      await harness.fixture.flush();
      expect(await demand.wanted()).toEqual(new Map());
    });
  });
}
