// Asks over links that are cut: a desk asks a bot thousands of times, and every outcome is checked.

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '@tickbus/test-kit/random';
import type { Logger } from 'tickbus';
import { defineBot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { AskError, RedisPublisher } from 'tickbus/publisher';
import { TcpProxy } from './proxy.ts';

export interface AskOverCutsOptions {
  /** Port of the server on 127.0.0.1. The desk and the bot have a proxy each. */
  readonly port: number;
  readonly count: number;
  readonly random: Random;
  readonly logger: Logger;
  /** Milliseconds that an ask may take. */
  readonly timeoutMs: number;
}

export interface AskReport {
  /** Number of asks by outcome: `done`, or the code of the error. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly cuts: number;
  /** Commands that the bot has carried out. */
  readonly obeyed: number;
  /** Each violation of a promise. */
  readonly violations: readonly string[];
}

const IN_FLIGHT = 40;
const BOT = 'asked';
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
  const { port, random, logger } = options;
  await using ofDesk = await TcpProxy.start({ port, random });
  await using ofBot = await TcpProxy.start({ port, random });
  const obeyed = new Map<string, number>();
  await using bot = defineBot({ name: BOT, url: urlOf(ofBot), logger }).onCommand(
    'cancel_all',
    ({ id = '' }) => {
      obeyed.set(id, (obeyed.get(id) ?? 0) + 1);
      return { outcome: 'done' };
    },
  );
  await using desk = new RedisPublisher({ url: urlOf(ofDesk), sender: 'desk', logger });
  await bot.start();
  const run = new AskRun(options, desk, { ofDesk, ofBot });
  await run.all();
  return run.report(obeyed);
}

class AskRun {
  readonly #options: AskOverCutsOptions;
  readonly #desk: RedisPublisher;
  readonly #proxies: { readonly ofDesk: TcpProxy; readonly ofBot: TcpProxy };
  /** The outcomes of each ask, by id. */
  readonly #ended = new Map<string, string[]>();
  #next = 0;
  #cuts = 0;

  constructor(
    options: AskOverCutsOptions,
    desk: RedisPublisher,
    proxies: { readonly ofDesk: TcpProxy; readonly ofBot: TcpProxy },
  ) {
    this.#options = options;
    this.#desk = desk;
    this.#proxies = proxies;
  }

  /** Always as many asks in flight, until each has ended. */
  async all(): Promise<void> {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => this.#askUntilDone()));
  }

  report(obeyed: ReadonlyMap<string, number>): AskReport {
    const outcomes: Record<string, number> = {};
    const violations: string[] = [];
    for (const [id, ends] of this.#ended) {
      const [outcome = 'none'] = ends;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      const times = obeyed.get(id) ?? 0;
      if (ends.length !== 1) violations.push(`${id} ended ${ends.length} times: ${ends}`);
      if (times > 1) violations.push(`${id} was obeyed ${times} times`);
      if (outcome === 'done' && times === 0) violations.push(`${id} is done, and was not obeyed`);
      if (NEVER_OBEYED.has(outcome) && times > 0) violations.push(`${id} was obeyed in spite of ${outcome}`);
      if (outcome !== 'done' && !NEVER_OBEYED.has(outcome) && !MAYBE_OBEYED.has(outcome))
        violations.push(`${id} ended with ${outcome}`);
    }
    return { outcomes, cuts: this.#cuts, obeyed: obeyed.size, violations };
  }

  async #askUntilDone(): Promise<void> {
    while (this.#next < this.#options.count) {
      const id = `ask-${String(this.#next++).padStart(6, '0')}`;
      const ends: string[] = [];
      this.#ended.set(id, ends);
      if (this.#options.random.percent(CUT_PERCENT)) this.#cut(id);
      const type = 'cancel_all';
      await this.#desk
        .ask(CHANNELS.TRADE_COMMANDS, { bot: BOT }, { type, id, timeoutMs: this.#options.timeoutMs })
        .then(
          ({ outcome, command_id }) => ends.push(command_id === id ? outcome : `the answer to ${command_id}`),
          (error: unknown) => ends.push(codeOf(error)),
        );
      // Otherwise most asks would fail while a link reconnects.
      if (ends[0] !== 'done') await delay(RECONNECT_MS);
    }
  }

  #cut(id: string): void {
    const { ofDesk, ofBot } = this.#proxies;
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
