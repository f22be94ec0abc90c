// A small trading desk of real programs: broker, gateway, monitor and a well-behaved bot, all with the users of
// docs/production.md. A hostile scenario attacks it and then checks it.

import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tickbus/local-redis';
import type { Testbed } from '../testbed.ts';
import { eventually, within } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { DeskBotReport, DeskBotSettings } from '../workers/desk-bot.ts';
import type { Vitals } from '../workers/vitals.ts';
import { OperatorCommands } from './operator-commands.ts';
import { PageVisits } from './page-visits.ts';
import { applyProductionSettings, type UserName, urlOf } from './production-users.ts';

export const BOT = 'honest';
export const SYMBOL = 'AAPL';
/** Maximum age of a price that the bot accepts. The broker sends about 25 prices a second. */
const MAX_AGE_MS = 2_000;
/** Four programs start at once, on a machine that can be busy. */
export const START_MS = 180_000;

const programOf = (service: string) =>
  fileURLToPath(new URL(`../../services/${service}/main.ts`, import.meta.url));
const MEASURED = { execArgv: ['--import', new URL('../workers/vitals.ts', import.meta.url).href] };

export interface DeskOptions {
  /** Settings of the gateway's feed. Default: the simulated broker, which uses Alpaca's protocol. */
  readonly feed?: Readonly<Record<string, string>>;
}

export class Desk {
  readonly testbed: Testbed;
  readonly bot: WorkerProcess;
  readonly gateway: WorkerProcess;
  readonly monitor: WorkerProcess;
  readonly commands: OperatorCommands;
  readonly page: PageVisits;
  readonly monitorPort: number;
  /** The token with which the monitor accepts commands. */
  readonly token = randomUUID();
  readonly gatewayPort: number;

  private constructor(testbed: Testbed, ports: Ports, { feed, monitorUser }: DeskSettings) {
    const { port } = testbed.redis;
    this.testbed = testbed;
    this.monitorPort = ports.monitor;
    this.gatewayPort = ports.metrics;
    const gateway = { REDIS_URL: urlOf('gateway', port), HTTP_PORT: String(ports.metrics), SYMBOLS: SYMBOL };
    this.gateway = this.#start('price-gateway', { ...gateway, ...RETRY_FAST, ...feed });
    const monitor = { MONITOR_PORT: String(ports.monitor), MONITOR_TOKEN: this.token };
    this.monitor = this.#start('monitor', { ...monitor, REDIS_URL: urlOf(monitorUser, port) });
    const settings: DeskBotSettings = {
      url: urlOf('bot', port),
      bot: BOT,
      symbol: SYMBOL,
      maxAgeMs: MAX_AGE_MS,
    };
    this.bot = new WorkerProcess('desk-bot', { ...settings }, MEASURED);
    testbed.atEnd(() => this.bot.kill());
    this.commands = new OperatorCommands(testbed, BOT);
    this.page = new PageVisits(`http://127.0.0.1:${ports.monitor}`);
  }

  /** Resolves when the bot has a fresh price and the monitor answers. */
  static async open(testbed: Testbed, { feed }: DeskOptions = {}): Promise<Desk> {
    const users = await applyProductionSettings((...command) => testbed.command(...command));
    const ports = { broker: await freePort(), metrics: await freePort(), monitor: await freePort() };
    const desk = new Desk(testbed, ports, {
      feed: feed ?? alpaca(ports.broker),
      monitorUser: users.has('monitor') ? 'monitor' : 'operator',
    });
    if (feed === undefined)
      desk.#start('simulated-broker', { BROKER_PORT: String(ports.broker), BROKER_SYMBOLS: SYMBOL });
    await desk.bot.receive('ready', START_MS);
    await desk.untilFresh(START_MS);
    await eventually('The monitor answers', () => desk.page.visit(), START_MS);
    await desk.commands.begin();
    desk.bot.send({ type: 'reset-samples' });
    for (const worker of desk.#measured) worker.send({ type: 'reset-vitals' });
    for (const worker of desk.#measured) await worker.receive('vitals');
    return desk;
  }

  /** Waits until the bot has received another price and a later sample is fresh. */
  async untilFresh(ms?: number): Promise<void> {
    const { prices } = await this.report();
    await eventually('The bot receives a price', async () => (await this.report()).prices > prices, ms);
    const before = (await this.report()).samples.fresh ?? 0;
    const isFresh = async () => ((await this.report()).samples.fresh ?? 0) > before;
    await eventually('The bot has a fresh price', isFresh, ms);
  }

  async report(): Promise<DeskBotReport> {
    this.bot.send({ type: 'report' });
    return this.bot.receive<DeskBotReport>('report');
  }

  async vitalsOf(worker: WorkerProcess): Promise<Vitals> {
    worker.send({ type: 'vitals' });
    return worker.receive<Vitals>('vitals');
  }

  /** The current value of a metric of the gateway, summed over all labels. */
  async metric(name: string): Promise<number> {
    const response = await within('The metrics', fetch(`http://127.0.0.1:${this.gatewayPort}/metrics`));
    const lines = (await response.text()).split('\n');
    const values = lines.filter((line) => line.startsWith(`tickbus_gateway_${name}`));
    return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  get #measured(): readonly WorkerProcess[] {
    return [this.bot, this.gateway, this.monitor];
  }

  #start(service: string, env: Readonly<Record<string, string>>): WorkerProcess {
    const worker = new WorkerProcess(programOf(service), undefined, { ...MEASURED, env });
    this.testbed.atEnd(() => worker.kill());
    return worker;
  }
}

interface DeskSettings {
  readonly feed: Readonly<Record<string, string>>;
  readonly monitorUser: UserName;
}

interface Ports {
  readonly broker: number;
  readonly metrics: number;
  readonly monitor: number;
}

const RETRY_FAST = { RETRY_MS: '100', MAX_RETRY_MS: '1000', CONNECT_LIMIT: '100' };

function alpaca(port: number): Readonly<Record<string, string>> {
  return {
    FEED: 'alpaca',
    ALPACA_URL: `ws://127.0.0.1:${port}/v2/iex`,
    ALPACA_KEY: 'local-key',
    ALPACA_SECRET: 'local-secret',
  };
}
