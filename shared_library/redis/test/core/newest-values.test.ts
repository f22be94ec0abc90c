// What is kept of the newest messages: texts until somebody asks, and stamps by the server's present clock.

import { expect, it } from 'vitest';
import type { Message } from '../../core/message.ts';
import { NewestValues } from '../../core/newest-values.ts';

const message = (n: number, at: number | null = n): Message => ({
  message_type: 'price',
  data: { n },
  timestamp: 0,
  sender: 'test',
  ...(at === null ? {} : { at }),
});

function bench() {
  const read: string[] = [];
  const values = new NewestValues((text) => {
    read.push(text);
    return text === 'spoilt' ? undefined : message(Number(text));
  });
  return { values, read };
}

it('reads a text once, when it is asked for, and not those that were replaced before', () => {
  const { values, read } = bench();
  values.set('A', message(1), '1');
  values.set('A', message(2), '2');
  expect(read).toEqual([]);
  const got = values.get('A');
  expect(got).toEqual(message(2));
  expect(values.get('A')).toBe(got);
  expect(read).toEqual(['2']);
  values.set('A', message(3), '3');
  expect(values.get('A')).toEqual(message(3));
});

it('gives a message that has no text as it is', () => {
  const { values, read } = bench();
  values.set('A', message(1), '1');
  const kept = message(2);
  values.set('A', kept);
  expect(values.get('A')).toBe(kept);
  expect(read).toEqual([]);
});

it('has none for a key whose newest cannot be used, nor for one whose text cannot be read again', () => {
  const { values } = bench();
  values.set('A', message(1), '1');
  values.set('A', undefined);
  values.set('B', message(2), 'spoilt');
  expect([values.get('A'), values.get('B'), values.get('C')]).toEqual([undefined, undefined, undefined]);
  expect([...values.keys()]).toEqual(['B']);
});

it('moves every stamp with the clock of the server, also that of a newest whose key is gone', () => {
  const { values } = bench();
  values.set('A', message(1, 1_000), '1');
  values.set('B', message(2, null), '2');
  values.set('C', message(3, 3_000), '3');
  values.set('C', undefined);
  values.clockWasSet(-500);
  expect([values.stampOf('A'), values.stampOf('B'), values.newestStamp]).toEqual([500, undefined, 2_500]);
  values.set('A', message(4, 2_000), '4');
  expect([values.stampOf('A'), values.newestStamp]).toEqual([2_000, 2_000]);
});
