// The services of one profile of docker-compose.yml, and the checks that hold for each profile.

import { deepStrictEqual } from 'node:assert';
import type { ComposeStack } from './compose-stack.ts';

/** Runs and prints one check. Rejects if it fails. */
export type Check = (what: string, action: () => Promise<unknown>) => Promise<void>;

export interface DeskServices {
  readonly profile: string;
  readonly gateways: readonly [string, string];
  readonly monitor: string;
  readonly subscriber: string;
  /** The other services that keep running, such as those of Redis. */
  readonly others: readonly string[];
}

export class ComposeDesk {
  /** All services that keep running, sorted. */
  readonly services: readonly string[];
  readonly #stack: ComposeStack;
  readonly #names: DeskServices;

  constructor(stack: ComposeStack, names: DeskServices) {
    const { gateways, monitor, subscriber, others } = names;
    this.services = [...gateways, monitor, subscriber, ...others].sort();
    this.#stack = stack;
    this.#names = names;
  }

  /** Runs `docker compose` with the profile. @returns stdout */
  compose(...args: string[]): Promise<string> {
    return this.#stack.compose('--profile', this.#names.profile, ...args);
  }

  /** @returns the lines printed by redis-cli in the container of a service */
  async redis(service: string, ...args: string[]): Promise<string[]> {
    const answer = await this.#stack.exec(service, 'redis-cli', ...args);
    return answer.trimEnd().split(/\r?\n/);
  }

  async start(): Promise<void> {
    await this.compose('up', '-d', '--no-build');
    deepStrictEqual(await this.#stack.running(), this.services);
  }

  /** Both gateways are healthy, one is active and the other on standby. */
  async gatewaysAreReady(): Promise<void> {
    for (const gateway of this.#names.gateways) await this.#stack.healthy(gateway);
    await this.gatewayRoles();
  }

  /** Resolves with the active gateway, then the standby. */
  async gatewayRoles(): Promise<[string, string]> {
    const [one, other] = this.#names.gateways;
    return this.#stack.until('one gateway is active and the other is standby', async () => {
      const roles = [await this.#roleOf(one), await this.#roleOf(other)].join();
      if (roles === 'active,standby') return [one, other];
      return roles === 'standby,active' ? [other, one] : undefined;
    });
  }

  /** Resolves with the next price of a gateway that the test subscriber prints after `since` (ISO 8601). */
  async receivesPrices(since = new Date().toISOString()): Promise<void> {
    const price = /^Received price: [\d.]+ for MSFT from price-gateway/m;
    await this.#stack.logged(this.#names.subscriber, price, since);
  }

  /** Resolves when the test subscriber has printed a gap with cause `epoch` after `since` (ISO 8601). */
  async reportsNewEpoch(since: string): Promise<void> {
    await this.#stack.logged(this.#names.subscriber, /^Missed: .*"cause":"epoch"/m, since);
  }

  async monitorIsGreen(): Promise<void> {
    const [binding, ...more] = await this.#stack.bindings(this.#names.monitor);
    deepStrictEqual([binding?.HostIp, more], ['127.0.0.1', []]);
    await this.#stack.until('all three lamps are green', async () => {
      const response = await fetch(`http://127.0.0.1:${binding?.HostPort}/api/stream`);
      for await (const chunk of response.body ?? []) {
        const lamps = /"lamps":\{.*?\}\}/.exec(new TextDecoder().decode(chunk))?.[0] ?? '';
        return lamps.match(/"state":"ok"/g)?.length === 3 || undefined;
      }
      return undefined;
    });
  }

  async wasNotRestarted(): Promise<void> {
    for (const service of this.services)
      deepStrictEqual((await this.#stack.inspect(service)).RestartCount, 0, service);
  }

  /** No service has capabilities, a writable file system, or unlimited memory or processes. */
  async isHardened(): Promise<void> {
    for (const service of this.services) {
      const { HostConfig } = await this.#stack.inspect(service);
      const { CapDrop, SecurityOpt, ReadonlyRootfs, Memory, PidsLimit } = HostConfig;
      deepStrictEqual(
        [CapDrop, SecurityOpt, ReadonlyRootfs],
        [['ALL'], ['no-new-privileges:true'], true],
        service,
      );
      deepStrictEqual(Memory > 0 && Memory <= 2 * 2 ** 30, true, `${service} may use ${Memory} bytes.`);
      deepStrictEqual(PidsLimit, 128, service);
    }
  }

  async runsWithoutRoot(): Promise<void> {
    for (const service of this.services) {
      const { Id } = await this.#stack.inspect(service);
      const [, ...processes] = (await this.#stack.docker('top', Id, '-eo', 'pid,uid,args'))
        .trim()
        .split('\n');
      deepStrictEqual(processes.length > 0, true, `${service} has no process.`);
      for (const line of processes)
        if (/^\s*\d+\s+0\s/.test(line)) throw new Error(`${service} runs as root: ${line}`);
    }
  }

  /** Only the monitor and `redis` have a port on this machine. */
  async hasNoOtherPorts(): Promise<void> {
    for (const service of this.services)
      if (service !== this.#names.monitor && service !== 'redis')
        deepStrictEqual(await this.#stack.bindings(service), [], service);
  }

  /**
   * Removes everything, and checks that no container, network or volume is left.
   *
   * @param more options of `docker compose`, such as further profiles
   */
  async isRemoved(...more: string[]): Promise<void> {
    // Volumes without a name have no label of the project.
    const volumes: string[] = [];
    for (const service of this.services) {
      const { Mounts } = await this.#stack.inspect(service);
      volumes.push(...Mounts.flatMap(({ Name }) => Name ?? []));
    }
    await this.compose(...more, 'down', '-v');
    deepStrictEqual(await this.#stack.leftovers(), []);
    const left = new Set((await this.#stack.docker('volume', 'ls', '-q')).split('\n'));
    deepStrictEqual(
      volumes.filter((volume) => left.has(volume)),
      [],
    );
  }

  /** The role from /readyz, requested inside the container; undefined while the gateway starts. */
  async #roleOf(gateway: string): Promise<string | undefined> {
    const script = "fetch('http://127.0.0.1:9464/readyz').then((answer) => answer.text()).then(console.log)";
    const answer = await this.#stack.exec(gateway, 'node', '-e', script).catch(() => '{}');
    return (JSON.parse(answer) as { role?: string }).role;
  }
}
