// What the server's clock is taken to say: from its fastest answers, and not at all where that was no use.

import { expect, it } from 'vitest';
import { EARLIEST_MS } from '../../adapters/redis/publish-scripts.ts';
import { Stamps } from '../../adapters/redis/stamps.ts';

const SERVER_AHEAD = 1_000_000;

/** Answers of a server that does a call so long after it was sent. */
function answered(stamps: Stamps, sentAt: number, delays: readonly number[]): void {
  for (const delay of delays) stamps.answered(SERVER_AHEAD + sentAt + delay, sentAt);
}

it('says nothing before four answers', () => {
  const stamps = new Stamps();
  answered(stamps, 10, [1, 1, 1]);
  expect(stamps.at(20)).toBeUndefined();
  answered(stamps, 10, [1]);
  expect(stamps.at(20.9)).toBe(SERVER_AHEAD + 21);
});

it('goes by the fastest answer, so that it is early and not late, and forgets old ones', () => {
  const stamps = new Stamps();
  answered(stamps, 10, [9, 2, 30, 9]);
  expect(stamps.at(20)).toBe(SERVER_AHEAD + 22);
  answered(stamps, 10, Array(32).fill(4));
  expect(stamps.at(20)).toBe(SERVER_AHEAD + 24);
});

it.each([
  ['late', 1],
  ['too early', -EARLIEST_MS - 1],
])('begins anew after a stamp that was %s, and pauses twice as long each time', (_, off) => {
  const stamps = new Stamps();
  const pauses: number[] = [];
  for (let round = 0; round < 3; round++) {
    answered(stamps, 10, [1, 1, 1, 1]);
    let pause = 0;
    while (stamps.at(20) === undefined) pause++;
    pauses.push(pause);
    stamps.answered(SERVER_AHEAD + 21, 20, SERVER_AHEAD + 21 + off);
  }
  expect(pauses).toEqual([0, 8, 16]);
});

it('pauses half as long again for each stamp that was of use', () => {
  const stamps = new Stamps();
  const miss = () => stamps.answered(SERVER_AHEAD + 30, 20, SERVER_AHEAD + 21);
  const pause = () => {
    let frames = 0;
    while (stamps.at(20) === undefined) frames++;
    return frames;
  };
  answered(stamps, 10, [1, 1, 1, 1]);
  miss();
  miss();
  expect(pause()).toBe(16);
  stamps.answered(SERVER_AHEAD + 21, 20, SERVER_AHEAD + 21);
  miss();
  expect(pause()).toBe(16);
  for (let n = 0; n < 5; n++) stamps.answered(SERVER_AHEAD + 21, 20, SERVER_AHEAD + 21);
  miss();
  expect(pause()).toBe(8);
});

it('takes what is within the limit as good', () => {
  const stamps = new Stamps();
  answered(stamps, 10, [1, 1, 1, 1]);
  for (const early of [0, EARLIEST_MS]) stamps.answered(SERVER_AHEAD + 21, 20, SERVER_AHEAD + 21 - early);
  expect(stamps.at(20)).toBe(SERVER_AHEAD + 21);
});
