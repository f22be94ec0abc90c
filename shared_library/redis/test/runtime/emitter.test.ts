// Emitter: order of listeners, containment of errors, removal.

import { expect, it } from 'vitest';
import { Emitter } from '../../runtime/emitter.ts';

interface Events {
  a: number;
  b: string;
}

function emitterOf() {
  const errors: unknown[] = [];
  return { emitter: new Emitter<Events>((error, event) => errors.push([event, error])), errors };
}

it('emit calls the listeners of the event in the order they were added', () => {
  const { emitter } = emitterOf();
  const received: unknown[] = [];
  emitter.on('a', (value) => received.push(['first', value]));
  emitter.on('a', (value) => received.push(['second', value]));
  emitter.on('b', (value) => received.push(['b', value]));
  emitter.emit('a', 1);
  expect(received).toEqual([
    ['first', 1],
    ['second', 1],
  ]);
});

it('emit contains a listener that throws and reports its error', () => {
  const { emitter, errors } = emitterOf();
  const received: number[] = [];
  const failure = new Error('mine');
  emitter.on('a', () => {
    throw failure;
  });
  emitter.on('a', (value) => received.push(value));
  emitter.emit('a', 1);
  expect(received).toEqual([1]);
  expect(errors).toEqual([['a', failure]]);
});

it('a function added twice is called twice and removed one at a time', () => {
  const { emitter } = emitterOf();
  const received: number[] = [];
  const listener = (value: number) => received.push(value);
  const removeFirst = emitter.on('a', listener);
  emitter.on('a', listener);
  emitter.emit('a', 1);
  removeFirst();
  removeFirst();
  emitter.emit('a', 2);
  expect(received).toEqual([1, 1, 2]);
});

it('emit ignores listeners added while it runs', () => {
  const { emitter } = emitterOf();
  const received: string[] = [];
  emitter.on('a', () => {
    received.push('first');
    emitter.on('a', () => received.push('added'));
  });
  emitter.on('a', () => received.push('second'));
  emitter.emit('a', 1);
  expect(received).toEqual(['first', 'second']);
});

it('clear removes every listener', () => {
  const { emitter } = emitterOf();
  const received: number[] = [];
  emitter.on('a', (value) => received.push(value));
  emitter.clear();
  emitter.emit('a', 1);
  expect(received).toEqual([]);
});
