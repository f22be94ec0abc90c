// When a command is over: by the server's clock, whatever those of sender and receiver say.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isExpired } from '../../subscribe/expiry.ts';

/** Sent by a clock of its own at 1,000, for 500 ms; stamped by the server at 50,000. */
const COMMAND = { timestamp: 1_000, expires_at: 1_500, at: 50_000 };

describe('a command of tickbus', () => {
  it.each([
    ['at once', 50_000, 0, false],
    ['before its end', 50_499, 0, false],
    ['at its end', 50_500, 0, true],
    ['where it may have ended', 50_498, 2, true],
    ['where it cannot have ended yet', 50_497, 2, false],
    ['stamped a little ahead of what is known of the server', 49_990, 1, false],
    ['stamped further ahead than it lives', 49_500, 0, true],
  ] as const)('%s', (_, time, errorMs, expected) => {
    expect(isExpired(COMMAND, { time, errorMs }, 0)).toBe(expected);
  });

  it('lives as long by any clock of its sender and of its receiver', () => {
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

describe('for want of better', () => {
  it("a stranger's command, which has no stamp, ends at what it says, by the server's clock", () => {
    const stranger = { timestamp: 1_000, expires_at: 1_500 };
    expect(isExpired(stranger, { time: 1_498, errorMs: 1 }, 9_999)).toBe(false);
    expect(isExpired(stranger, { time: 1_499, errorMs: 1 }, 0)).toBe(true);
  });

  it("the receiver's own clock counts before the server has told its time", () => {
    expect(isExpired(COMMAND, undefined, 1_499)).toBe(false);
    expect(isExpired(COMMAND, undefined, 1_500)).toBe(true);
  });
});

it('without an end a command never ends', () => {
  expect(isExpired({ timestamp: 1, at: 1 }, { time: 2 ** 50, errorMs: 0 }, 2 ** 50)).toBe(false);
});
