// BotBoard: overdue bots, outages of the link, last commands.

import type { BotStatus } from 'tickbus';
import { beforeEach, expect, it } from 'vitest';
import { BotBoard, type BotChange } from '../model/bot-board.ts';

const AT = 1_000_000;
/** 2.5 default intervals. */
const LIMIT = 12_500;

let board: BotBoard;
let changes: BotChange[];
beforeEach(() => {
  changes = [];
  board = new BotBoard((change) => changes.push(change));
});

function recordStatus(status: Partial<BotStatus>, at = AT): void {
  const data = { bot: 'momentum', state: 'running', ...status } as BotStatus;
  board.recordStatus({ data } as Parameters<BotBoard['recordStatus']>[0], at);
}
const overdue = () => board.rows().map(({ overdue }) => overdue);

it('marks a bot overdue after 2.5 intervals without a status, reports it once and keeps it listed', () => {
  recordStatus({});
  board.markOverdue(AT + LIMIT, 0);
  expect(overdue()).toEqual([false]);
  board.markOverdue(AT + LIMIT + 1, 0);
  board.markOverdue(AT + 100_000_000, 0);
  expect(board.rows()).toMatchObject([{ bot: 'momentum', overdue: true, heardAt: AT }]);
  expect(changes.map(({ change }) => change)).toEqual([{ from: undefined, to: 'running' }, 'overdue']);
  recordStatus({}, AT + 100_000_001);
  expect(overdue()).toEqual([false]);
  expect(changes.at(-1)).toEqual({ bot: 'momentum', change: 'back' });
});

it('uses the status interval of the bot, with a minimum of one second', () => {
  recordStatus({ status_interval_ms: 30_000 });
  board.markOverdue(AT + 75_000, 0);
  expect(overdue()).toEqual([false]);
  board.markOverdue(AT + 75_001, 0);
  expect(overdue()).toEqual([true]);
  recordStatus({ status_interval_ms: 10 });
  board.markOverdue(AT + 1_000, 0);
  expect(overdue()).toEqual([false]);
});

it('never marks a stopped bot overdue', () => {
  recordStatus({ state: 'stopped' });
  board.markOverdue(AT + 100_000_000, 0);
  expect(overdue()).toEqual([false]);
});

it('marks no bot overdue while the link is down, nor right after it is restored', () => {
  recordStatus({});
  const reconnectedAt = AT + 60_000;
  board.markOverdue(reconnectedAt - 1, undefined);
  board.markOverdue(reconnectedAt, reconnectedAt);
  board.markOverdue(reconnectedAt + LIMIT, reconnectedAt);
  expect(overdue()).toEqual([false]);
  board.markOverdue(reconnectedAt + LIMIT + 1, reconnectedAt);
  expect(overdue()).toEqual([true]);
});

it('marks a bot overdue immediately if its snapshot is too old', () => {
  recordStatus({}, AT - LIMIT - 1);
  board.markOverdue(AT, 0);
  expect(overdue()).toEqual([true]);
});

it('keeps the last command until the first status of the bot arrives', () => {
  const command = { text: 'pause', sender: 'desk', at: AT };
  board.recordCommand('momentum', command);
  expect(board.rows()).toEqual([]);
  recordStatus({ behind: 3, started_at: AT - 5_000, subscriptions: ['PRICE_DATA'] });
  expect(board.rows()).toMatchObject([
    { lastCommand: command, behind: 3, startedAt: AT - 5_000, subscriptions: ['PRICE_DATA'] },
  ]);
});

it.each([
  ['instance', { instance: 'first' }, { instance: 'second' }],
  ['start', { started_at: AT }, { started_at: AT + 20 }],
])('drops the command of the predecessor of a bot with another %s', (_, first, second) => {
  recordStatus(first, AT);
  board.recordCommand('momentum', { text: 'pause', sender: 'desk', at: AT + 5 });
  recordStatus(first, AT + 10);
  expect(board.rows()[0]?.lastCommand?.text).toBe('pause');
  recordStatus(second, AT + 30);
  expect(board.rows()[0]).not.toHaveProperty('lastCommand');
  board.recordCommand('momentum', { text: 'resume', sender: 'desk', at: AT + 40 });
  recordStatus(second, AT + 50);
  expect(board.rows()[0]?.lastCommand?.text).toBe('resume');
});

it('keeps a command that was sent to the new instance before its first status', () => {
  recordStatus({ started_at: AT }, AT);
  board.recordCommand('momentum', { text: 'pause', sender: 'desk', at: AT + 30 });
  recordStatus({ started_at: AT + 20 }, AT + 40);
  expect(board.rows()[0]?.lastCommand?.text).toBe('pause');
});

it('does not show a command that was sent before the first instance started', () => {
  board.recordCommand('momentum', { text: 'pause', sender: 'desk', at: AT });
  recordStatus({ instance: 'first', started_at: AT + 10 }, AT + 20);
  expect(board.rows()[0]).not.toHaveProperty('lastCommand');
});

it('keeps the command of two instances that report in turn, and shows a third one without it', () => {
  const shown = (instance: string, at: number) => {
    recordStatus({ instance }, at);
    return board.rows()[0]?.lastCommand?.text;
  };
  shown('a', AT);
  shown('b', AT + 10);
  board.recordCommand('momentum', { text: 'pause', sender: 'desk', at: AT + 15 });
  expect([shown('a', AT + 20), shown('b', AT + 30), shown('a', AT + 40)]).toEqual([
    'pause',
    'pause',
    'pause',
  ]);
  expect([shown('c', AT + 50), shown('a', AT + 60), shown('c', AT + 70)]).toEqual([
    undefined,
    'pause',
    undefined,
  ]);
});
