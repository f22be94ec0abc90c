// A soak on a single server, behind proxies.

import type { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { Random } from '@tickbus/test-kit/random';
import type { Testbed } from '../testbed.ts';
import type { LeaseContest } from './lease-contest.ts';
import { FAULTS } from './soak-faults.ts';
import type { SoakSetting } from './soak-setting.ts';

const PROXIES = 4;

export class ServerSoak implements SoakSetting {
  readonly mayRepeatLastValues = false;
  readonly #testbed: Testbed;
  readonly #proxies: readonly TcpProxy[];

  private constructor(testbed: Testbed, proxies: readonly TcpProxy[]) {
    this.#testbed = testbed;
    this.#proxies = proxies;
  }

  static async start(testbed: Testbed): Promise<ServerSoak> {
    const proxies: TcpProxy[] = [];
    for (let left = PROXIES; left > 0; left--) proxies.push(await testbed.proxy());
    return new ServerSoak(testbed, proxies);
  }

  get ports(): readonly number[] {
    return this.#proxies.map(({ port }) => port);
  }

  async inject(random: Random, contest: LeaseContest): Promise<string> {
    const { name, inject } = random.pick(FAULTS);
    const proxy = this.#proxies[random.int(0, PROXIES - 1)];
    if (proxy !== undefined) await inject({ testbed: this.#testbed, proxy, contest, random });
    return name;
  }

  async heal(): Promise<void> {
    for (const proxy of this.#proxies) proxy.heal();
  }
}
