import { expect, it } from 'vitest';
import { complaintConflict, complaintText, timedComplaint } from '../../channel/complaint.ts';
import { conflictText, definitionConflict } from '../../channel/definition.ts';

const NOW = 1_767_225_600_000;
const MINUTE = 60_000;
const EVENT = { name: 'FILLS', definition: 'kind=event key=order history=10' };
const STATE = { name: 'FILLS', definition: 'kind=state key=symbol' };
const PER_KEY = { name: 'FILLS', definition: 'kind=event key=order historyPerKey=5' };
const PER_SYMBOL = { name: 'FILLS', definition: 'kind=event key=symbol' };

const heard = (own: typeof EVENT, text: string, at = NOW, partitions?: number) =>
  complaintConflict(own, text, { at, ...(partitions !== undefined && { partitions }) });

it.each([
  ['kind', EVENT, STATE, 'error'],
  ['key', PER_KEY, PER_SYMBOL, 'error'],
] as const)(
  'a complaint about another %s is understood by the program that it is about',
  (field, first, second, severity) => {
    const conflict = definitionConflict(second, `${first.definition} by=alpha`, { isReader: true });
    const text = complaintText(second, conflict ?? { severity: 'warning', fields: [] }, 'gamma');
    expect(text).toBe(`${second.definition} by=gamma`);
    expect(heard(first, timedComplaint(text ?? '', NOW - MINUTE))).toMatchObject({
      channel: 'FILLS',
      fields: expect.arrayContaining([field]),
      severity,
      own: first.definition,
      recorded: second.definition,
      by: 'gamma',
    });
  },
);

it('a difference of the history only is no reason to complain', () => {
  const conflict = definitionConflict(EVENT, 'kind=event key=order history=20', { isReader: true });
  expect(conflict).toMatchObject({ severity: 'warning' });
  expect(complaintText(EVENT, conflict ?? { severity: 'error', fields: [] }, 'gamma')).toBeUndefined();
  expect(heard(EVENT, timedComplaint('kind=event key=order history=20 by=gamma', NOW))).toBeUndefined();
});

it('a complaint counts for ten minutes', () => {
  const text = timedComplaint(`${STATE.definition} by=gamma`, NOW);
  expect(heard(EVENT, text, NOW + 10 * MINUTE)).toBeDefined();
  expect(heard(EVENT, text, NOW + 10 * MINUTE + 1)).toBeUndefined();
  // A time far ahead would make it last forever.
  expect(heard(EVENT, text, NOW - 10 * MINUTE - 1)).toBeUndefined();
});

it('an own definition, also by another program, is no conflict', () => {
  expect(heard(STATE, timedComplaint(`${STATE.definition} by=gamma`, NOW))).toBeUndefined();
  expect(
    heard(EVENT, timedComplaint(`${EVENT.definition} partitions=4 by=gamma`, NOW), NOW, 4),
  ).toBeUndefined();
  expect(
    heard(EVENT, timedComplaint(`${EVENT.definition} partitions=4 by=gamma`, NOW), NOW, 16),
  ).toMatchObject({
    fields: ['partitions'],
    own: `${EVENT.definition} partitions=16`,
    recorded: `${EVENT.definition} partitions=4`,
  });
});

it.each([
  ['nothing', ''],
  ['text of another program', 'hello'],
  ['no time', 'kind=state key=symbol by=gamma'],
  ['a time of another form', `at=-1 kind=state key=symbol`],
  ['a text without a kind', `at=${NOW} by=gamma`],
  ['a number of partitions that is none', `at=${NOW} ${EVENT.definition} partitions=many`],
])('%s is no complaint', (_, text) => {
  expect(heard(EVENT, text)).toBeUndefined();
});

it('hostile text is escaped and limited', () => {
  const hidden = encodeURIComponent('\u001b[2J\u202e');
  const text = `at=${NOW} kind=state\u001b[2J key=${'x'.repeat(1_000_000)} by=${hidden.repeat(50)}`;
  const conflict = heard(EVENT, text);
  expect(conflict).toMatchObject({ fields: ['kind'], by: undefined });
  const named = heard(EVENT, `at=${NOW} kind=state\u001b[2J key=k by=${hidden.repeat(50)}`);
  for (const line of [conflict, named].map((each) => conflictText(each ?? ({} as never)))) {
    expect(line.length).toBeLessThan(2_500);
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
});
