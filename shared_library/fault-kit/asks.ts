// Asks over faults: a desk asks a bot thousands of times, and every outcome is checked.

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '@tickbus/test-kit/random';
import type { Logger } from 'tickbus';
import { AskError, RedisPublisher } from 'tickbus/publisher';
import { type AskedBot, type AskedPair, startAskedBot, TRADE } from './asked-bot.ts';
import { TcpProxy } from './proxy.ts';

export interface AskOverCutsOptions {
  /** Port of the server on 127.0.0.1. The desk and the bot have a proxy each, and their links are cut. */
  readonly port?: number;
  /** The address of a cluster or a Sentinel group, in place of `port`. No links are cut. */
  readonly url?: string;
  /** What is asked on. Default: TRADE_COMMANDS, of a bot made with the kit. */
  readonly pair?: AskedPair;
  /**
   * Called `faults` times in the course of the asks, for example to restart the server. Asks go on until one is
   * answered after the last of them.
   */
  readonly fault?: () => Promise<void>;
  readonly faults?: number;
  /** Whether one bot lives through the faults, so that it is never absent. Default false: each fault replaces it. */
  readonly keepsBot?: boolean;
  /** The least number of asks. */
  readonly count: number;
  readonly random: Random;
  readonly logger: Logger;
  /** Milliseconds that an ask may take. */
  readonly timeoutMs: number;
}

export interface AskReport {
  /** Number of asks. */
  readonly asked: number;
  /** Number of asks by outcome: `done`, or the code of the error. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly cuts: number;
  /** Commands that the bot has carried out. */
  readonly obeyed: number;
  /** Each violation of a promise. */
  readonly violations: readonly string[];
}

const IN_FLIGHT = 40;
/** Per cent of the asks before which a link is cut, or whose reply is dropped. */
const CUT_PERCENT = 3;
const RECONNECT_MS = 50;
/** After these the bot cannot have obeyed. After `NO_ANSWER` and `OUTCOME_UNKNOWN` it may have. */
const NEVER_OBEYED = new Set([
  'TICKBUS_NOT_CONNECTED',
  'TICKBUS_NOT_SENT',
  'TICKBUS_ABSENT',
  'TICKBUS_EXPIRED',
]);
const MAYBE_OBEYED = new Set(['TICKBUS_NO_ANSWER', 'TICKBUS_OUTCOME_UNKNOWN']);

export async function askOverCuts(options: AskOverCutsOptions): Promise<AskReport> {
  const { port, url, random, logger, pair = TRADE } = options;
  if (url !== undefined) return askOver(options, pair, logger, url, url, undefined);
  const target = { port: port ?? 0, random };
  await using ofDesk = await TcpProxy.start(target);
  await using ofBot = await TcpProxy.start(target);
  return await askOver(options, pair, logger, urlOf(ofDesk), urlOf(ofBot), { ofDesk, ofBot });
}

async function askOver(
  options: AskOverCutsOptions,
  pair: AskedPair,
  logger: Logger,
  deskUrl: string,
  botUrl: string,
  proxies: Proxies | undefined,
): Promise<AskReport> {
  const obeyed = new Map<string, number>();
  const newBot = () => startAskedBot(pair, { url: botUrl, logger, obeyed });
  await using desk = new RedisPublisher({ url: deskUrl, sender: 'desk', logger });
  const run = new AskRun(options, { pair, desk, proxies, newBot }, await newBot());
  await run.all();
  return run.report(obeyed);
}

interface Proxies {
  readonly ofDesk: TcpProxy;
  readonly ofBot: TcpProxy;
}

interface AskParts {
  readonly pair: AskedPair;
  readonly desk: RedisPublisher;
  readonly proxies: Proxies | undefined;
  readonly newBot: () => Promise<AskedBot>;
}

class AskRun {
  readonly #options: AskOverCutsOptions;
  readonly #parts: AskParts;
  /** The outcomes of each ask, by id. */
  readonly #ended = new Map<string, string[]>();
  #bot: AskedBot;
  #faulting: Promise<void> = Promise.resolve();
  /** Resolves when the last fault begins. Asks wait for it, so that each fault has its share of them. */
  #nextFault: Promise<void> = Promise.resolve();
  /** Numbers of faults that have begun, and of those that are over. */
  #begun = 0;
  #over = 0;
  /** Whether an ask that began after the last fault is done. */
  #isAnsweredAgain = false;
  #next = 0;
  #cuts = 0;

  constructor(options: AskOverCutsOptions, parts: AskParts, bot: AskedBot) {
    this.#options = options;
    this.#parts = parts;
    this.#bot = bot;
  }

  /** Always as many asks in flight, until each has ended. */
  async all(): Promise<void> {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => this.#askUntilDone()));
    await this.#faulting;
    await this.#bot.close();
  }

  report(obeyed: ReadonlyMap<string, number>): AskReport {
    const outcomes: Record<string, number> = {};
    const violations: string[] = [];
    const { keepsBot, faults = 0 } = this.#options;
    const livesOn = keepsBot || faults === 0;
    for (const [id, ends] of this.#ended) {
      const [outcome = 'none'] = ends;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      const times = obeyed.get(id) ?? 0;
      if (ends.length !== 1) violations.push(`${id} ended ${ends.length} times: ${ends}`);
      if (times > 1) violations.push(`${id} was obeyed ${times} times`);
      if (outcome === 'done' && times === 0) violations.push(`${id} is done, and was not obeyed`);
      if (outcome === 'TICKBUS_ABSENT' && livesOn) violations.push(`${id}: a living bot is absent`);
      if (NEVER_OBEYED.has(outcome) && times > 0) violations.push(`${id} was obeyed in spite of ${outcome}`);
      if (outcome !== 'done' && !NEVER_OBEYED.has(outcome) && !MAYBE_OBEYED.has(outcome))
        violations.push(`${id} ended with ${outcome}`);
    }
    return { asked: this.#ended.size, outcomes, cuts: this.#cuts, obeyed: obeyed.size, violations };
  }

  async #askUntilDone(): Promise<void> {
    const { count, faults = 0, random, timeoutMs } = this.#options;
    for (;;) {
      await this.#nextFault;
      if (this.#next >= count && this.#over >= faults && this.#isAnsweredAgain) return;
      const id = `ask-${String(this.#next++).padStart(6, '0')}`;
      const ends: string[] = [];
      this.#ended.set(id, ends);
      if (random.percent(CUT_PERCENT)) this.#cut(id);
      const due = Math.ceil(count / (faults + 1));
      if (this.#begun < faults && this.#next >= due * (this.#begun + 1)) this.#fault();
      const isAfterFaults = this.#over >= faults;
      await this.#parts.pair.ask(this.#parts.desk, { id, timeoutMs }).then(
        ({ outcome, command_id }) => ends.push(command_id === id ? outcome : `the answer to ${command_id}`),
        (error: unknown) => ends.push(codeOf(error)),
      );
      this.#isAnsweredAgain ||= isAfterFaults && ends[0] === 'done';
      // Otherwise most asks would fail while a link reconnects, or succeed before a fault has an effect.
      if (ends[0] !== 'done' || this.#begun > this.#over) await delay(RECONNECT_MS);
    }
  }

  /** The bot that follows knows nothing of what the former one has obeyed. */
  #fault(): void {
    const { fault = async () => {}, keepsBot = false } = this.#options;
    this.#begun++;
    this.#nextFault = this.#faulting;
    this.#faulting = this.#faulting.then(async () => {
      await Promise.all([fault(), ...(keepsBot ? [] : [this.#bot.close()])]);
      if (!keepsBot) this.#bot = await this.#parts.newBot();
      this.#over++;
    });
  }

  #cut(id: string): void {
    if (this.#parts.proxies === undefined) return;
    const { ofDesk, ofBot } = this.#parts.proxies;
    this.#cuts++;
    switch (this.#options.random.pick(['desk', 'bot', 'reply'])) {
      case 'desk':
        return ofDesk.reset();
      case 'bot':
        return ofBot.reset();
      case 'reply':
        // The server executes the command, and the desk cannot know.
        ofDesk.dropReplyTo(id).then((link) => link.reset());
    }
  }
}

function urlOf({ port }: TcpProxy): string {
  return `redis://127.0.0.1:${port}`;
}

function codeOf(error: unknown): string {
  return error instanceof AskError ? error.code : String((error as { code?: unknown }).code ?? error);
}
