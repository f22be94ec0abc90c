// The board of bots, by the clock: who is overdue, who cannot be blamed, and that nobody vanishes.

import type { BotStatus } from 'tickbus';
import { beforeEach, expect, it } from 'vitest';
import { BotBoard, type BotChange } from '../model/bot-board.ts';

const AT = 1_000_000;
/** 2.5 intervals of the default. */
const LIMIT = 12_500;

let board: BotBoard;
let changes: BotChange[];
beforeEach(() => {
  changes = [];
  board = new BotBoard((change) => changes.push(change));
});

function tell(status: Partial<BotStatus>, at = AT): void {
  const data = { bot: 'momentum', state: 'running', ...status } as BotStatus;
  board.recordStatus({ data } as Parameters<BotBoard['recordStatus']>[0], at);
}
const overdue = () => board.rows().map(({ overdue }) => overdue);

it('a bot that misses two statuses and a half is overdue, is told of once, and stays', () => {
  tell({});
  board.markOverdue(AT + LIMIT, 0);
  expect(overdue()).toEqual([false]);
  board.markOverdue(AT + LIMIT + 1, 0);
  board.markOverdue(AT + 100_000_000, 0);
  expect(board.rows()).toMatchObject([{ bot: 'momentum', overdue: true, heardAt: AT }]);
  expect(changes.map(({ change }) => change)).toEqual([{ from: undefined, to: 'running' }, 'overdue']);
  tell({}, AT + 100_000_001);
  expect(overdue()).toEqual([false]);
  expect(changes.at(-1)).toEqual({ bot: 'momentum', change: 'back' });
});

it('goes by the interval that the bot tells, and not below a second', () => {
  tell({ status_interval_ms: 30_000 });
  board.markOverdue(AT + 75_000, 0);
  expect(overdue()).toEqual([false]);
  board.markOverdue(AT + 75_001, 0);
  expect(overdue()).toEqual([true]);
  tell({ status_interval_ms: 10 });
  board.markOverdue(AT + 1_000, 0);
  expect(overdue()).toEqual([false]);
});

it('one that said that it has stopped is not overdue', () => {
  tell({ state: 'stopped' });
  board.markOverdue(AT + 100_000_000, 0);
  expect(overdue()).toEqual([false]);
});

it('nobody is overdue for what could not be heard, neither while the link is down nor just after', () => {
  tell({});
  const backAt = AT + 60_000;
  board.markOverdue(backAt - 1, undefined);
  board.markOverdue(backAt, backAt);
  board.markOverdue(backAt + LIMIT, backAt);
  expect(overdue()).toEqual([false]);
  board.markOverdue(backAt + LIMIT + 1, backAt);
  expect(overdue()).toEqual([true]);
});

it('a kept status that is too old when the monitor starts is overdue at once', () => {
  tell({}, AT - LIMIT - 1);
  board.markOverdue(AT, 0);
  expect(overdue()).toEqual([true]);
});

it('remembers what was last told to a bot, and shows it when the bot is heard', () => {
  const command = { text: 'pause', sender: 'desk', at: AT };
  board.recordCommand('momentum', command);
  expect(board.rows()).toEqual([]);
  tell({ behind: 3, started_at: AT - 5_000, subscriptions: ['PRICE_DATA'] });
  expect(board.rows()).toMatchObject([
    { lastCommand: command, behind: 3, startedAt: AT - 5_000, subscriptions: ['PRICE_DATA'] },
  ]);
});
