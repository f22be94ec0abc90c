// Gateways of both versions on one server, which take over from each other in turn, and a bot of each version.

import { deepEqual } from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Testbed } from '../testbed.ts';
import { eventually } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { DeskReport, InEpoch, WatchDeskSettings } from '../workers/watch-desk.ts';
import { SYMBOL, Venue } from './venue.ts';
import { VERSIONS, type Version } from './versions.ts';

/** Several programs start at once, on a machine that can be busy. */
const START_MS = 180_000;
const MAX_AGE_MS = 5_000;
const THIS = fileURLToPath(new URL('../..', import.meta.url));

export interface UpgradeDeskOptions {
  /** The folder of the older checkout. */
  readonly old: string;
  /** How many takeovers. Four cover both versions, killed and ended. */
  readonly turns: number;
  /** Whether the trades of the venue have identifiers. */
  readonly hasIds: boolean;
  /** Settings of all programs, for example `TICKBUS_NAMESPACE`, or `PARTITIONS` of the gateways. */
  readonly settings?: Readonly<Record<string, string>>;
}

export async function upgradeDesk(testbed: Testbed, options: UpgradeDeskOptions): Promise<void> {
  const venue = await Venue.start(options.hasIds);
  testbed.atEnd(() => venue[Symbol.asyncDispose]());
  const desk = new UpgradeDesk(testbed, venue, options);
  await desk.takeTurns();
  await desk.end();
}

class UpgradeDesk {
  readonly #testbed: Testbed;
  readonly #venue: Venue;
  readonly #options: UpgradeDeskOptions;
  /** The epochs of the prices and the trades of old gateways. */
  readonly #oldEpochs = new Set<number>();
  readonly #watchers: { readonly version: Version; readonly process: WorkerProcess }[] = [];

  constructor(testbed: Testbed, venue: Venue, options: UpgradeDeskOptions) {
    this.#testbed = testbed;
    this.#venue = venue;
    this.#options = options;
  }

  async takeTurns(): Promise<void> {
    for (const version of VERSIONS) await this.#watch(version);
    let active = await this.#gateway('old', 'active');
    await this.#untilFresh('old');
    for (let turn = 1; turn <= this.#options.turns; turn++) {
      const next = await this.#gateway(turn % 2 === 1 ? 'new' : 'old', 'standby');
      active.kill(Math.floor((turn - 1) / 2) % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      await active.exited(START_MS);
      await untilRole(next, 'active');
      await this.#untilFresh(turn % 2 === 1 ? 'new' : 'old');
      active = next;
    }
  }

  /** Every trade is there once or is in a reported gap; prices do not go back, and the last one is right. */
  async end(): Promise<void> {
    await this.#venue.end();
    const { trades } = this.#venue;
    const last = trades.at(-1);
    for (const { version, process } of this.#watchers) {
      const name = `the ${version} bot`;
      let report = await reportOf(process);
      await eventually(`${name} has the last trade`, async () => {
        report = await reportOf(process);
        return report.lastPrice === last?.price && report.trades.at(-1)?.[0] === last?.price;
      });
      const published = new Set(report.trades.map(([price]) => price));
      const isKnown = new Set<number>();
      const again = report.trades.filter(([price]) => isKnown.has(price) || !isKnown.add(price));
      deepEqual(this.#ofNew(again), [], `${name} gets no trade twice from a new gateway`);
      const first = Math.min(...published);
      const missing = trades.filter(({ price }) => price > first && !published.has(price));
      const unreported = missing.filter(
        ({ at }) => !report.tradeGaps.some(({ from = 0, to }) => from <= at && at <= to),
      );
      deepEqual(unreported, [], `${name} misses no trade without a report`);
      let latest = 0;
      const back = report.priceTimes.filter(([time]) => {
        const isBack = time < latest;
        latest = Math.max(latest, time);
        return isBack;
      });
      deepEqual(this.#ofNew(back), [], `no price of a new gateway goes back at ${name}`);
      const causes = [...new Set(report.gaps.map((gap) => gap.split(' ')[1]))];
      deepEqual(
        causes.filter((cause) => cause !== 'epoch'),
        [],
        `gaps of ${name}`,
      );
      const problems = /forged|invalid|conflict|failed|stale|name_taken/;
      deepEqual(
        report.reports.filter((type) => problems.test(type)),
        [],
        `reports of ${name}`,
      );
      this.#testbed.note(
        `${name}: ${published.size} trades, ${missing.length} missing in reported gaps; from old gateways only: ` +
          `${again.length} trades again, ${back.length} prices back`,
      );
    }
  }

  /** The older version may have faults that this one has no more. */
  #ofNew(messages: readonly InEpoch[]): readonly InEpoch[] {
    return messages.filter(([, epoch]) => !this.#oldEpochs.has(epoch));
  }

  async #watch(version: Version): Promise<void> {
    const settings: WatchDeskSettings = { url: this.#testbed.urlOf(), symbol: SYMBOL, maxAgeMs: MAX_AGE_MS };
    const { env, checkout } = { env: this.#options.settings ?? {}, checkout: this.#checkoutOf(version) };
    const process = new WorkerProcess('watch-desk', { ...settings }, { env, checkout });
    this.#testbed.atEnd(() => process.kill());
    await process.receive('ready', START_MS);
    this.#watchers.push({ version, process });
  }

  async #gateway(version: Version, role: string): Promise<WorkerProcess> {
    const gateway = this.#start(version, 'services/price-gateway/main.ts', {
      ...this.#venue.settings,
      HTTP_PORT: '0',
      RETRY_MS: '100',
      MAX_RETRY_MS: '400',
      CONNECT_LIMIT: '100',
    });
    await untilRole(gateway, role);
    return gateway;
  }

  /** Each bot gets new prices, and finds them fresh. */
  async #untilFresh(gateway: Version): Promise<void> {
    const from = this.#venue.trades.length;
    for (const { version, process } of this.#watchers) {
      let report: DeskReport | undefined;
      const isFresh = async () => {
        report = await reportOf(process);
        return (
          (report.lastPrice ?? 0) > from &&
          report.verdict === 'fresh' &&
          (report.trades.at(-1)?.[0] ?? 0) > from
        );
      };
      await eventually(`The ${version} bot has fresh prices`, isFresh).catch((error) => {
        throw new Error(
          `${error} Its verdict: ${report?.verdict}, last price ${report?.lastPrice} after ${from}.`,
        );
      });
      if (gateway === 'old')
        for (const [, epoch = 0] of [report?.trades.at(-1) ?? [], report?.priceTimes.at(-1) ?? []])
          this.#oldEpochs.add(epoch);
    }
  }

  #start(version: Version, program: string, env: Readonly<Record<string, string>>): WorkerProcess {
    const path = join(this.#checkoutOf(version) ?? THIS, program);
    const common = { REDIS_URL: this.#testbed.urlOf(), ...this.#options.settings };
    const process = new WorkerProcess(path, undefined, { env: { ...common, ...env } });
    this.#testbed.atEnd(() => process.kill());
    return process;
  }

  #checkoutOf(version: Version): string | undefined {
    return version === 'old' ? this.#options.old : undefined;
  }
}

async function untilRole(gateway: WorkerProcess, role: string): Promise<void> {
  const isInRole = () => gateway.output.match(/The gateway is \w+\./g)?.at(-1) === `The gateway is ${role}.`;
  await eventually(`The gateway is ${role}`, isInRole, START_MS).catch((error) => {
    throw new Error(`${error}\n${gateway.output.slice(-2_000)}`);
  });
}

async function reportOf(process: WorkerProcess): Promise<DeskReport> {
  process.send({ type: 'report' });
  return process.receive<DeskReport>('report');
}
