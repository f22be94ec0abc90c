// Expiry of commands by the server clock, independent of the clocks of sender and receiver.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isExpired } from '../../subscribe/expiry.ts';

/** A command sent at 1,000 by the sender clock, valid for 500 ms, and stamped by the server at 50,000. */
const COMMAND = { timestamp: 1_000, expires_at: 1_500, at: 50_000 };

describe('a command with a server stamp', () => {
  it.each([
    ['is valid immediately', 50_000, 0, false],
    ['is valid before its end', 50_499, 0, false],
    ['expires at its end', 50_500, 0, true],
    ['is expired if its end is within the clock error', 50_498, 2, true],
    ['is valid if its end is beyond the clock error', 50_497, 2, false],
    ['is valid if stamped slightly ahead of the estimated server clock', 49_990, 1, false],
    ['is expired if stamped further ahead than its lifetime', 49_500, 0, true],
  ] as const)('%s', (_, time, errorMs, expected) => {
    expect(isExpired(COMMAND, { time, errorMs }, 0)).toBe(expected);
  });

  it('has the same lifetime with any clock of sender and receiver', () => {
    const clock = fc.integer({ min: 0, max: 2 ** 42 });
    const command = fc.record({ sentAt: clock, lives: fc.integer({ min: 1, max: 2 ** 30 }), at: clock });
    const receiver = fc.record({ age: fc.integer({ min: 0, max: 2 ** 31 }), localTime: clock });
    fc.assert(
      fc.property(command, receiver, ({ sentAt, lives, at }, { age, localTime }) => {
        const message = { timestamp: sentAt, expires_at: sentAt + lives, at };
        expect(isExpired(message, { time: at + age, errorMs: 0 }, localTime)).toBe(age >= lives);
      }),
    );
  });
});

describe('without full information', () => {
  it('a command of a plain client, without a stamp, expires at `expires_at` by the server clock', () => {
    const plainCommand = { timestamp: 1_000, expires_at: 1_500 };
    expect(isExpired(plainCommand, { time: 1_498, errorMs: 1 }, 9_999)).toBe(false);
    expect(isExpired(plainCommand, { time: 1_499, errorMs: 1 }, 0)).toBe(true);
  });

  it('the clock of the receiver counts until the server time is known', () => {
    expect(isExpired(COMMAND, undefined, 1_499)).toBe(false);
    expect(isExpired(COMMAND, undefined, 1_500)).toBe(true);
  });
});

it('a command without `expires_at` never expires', () => {
  expect(isExpired({ timestamp: 1, at: 1 }, { time: 2 ** 50, errorMs: 0 }, 2 ** 50)).toBe(false);
});
