import { expect, it } from 'vitest';
import { FrameQuality } from '../../session/frame-quality.ts';

/** A feed whose messages are counted twice a second. */
function feed() {
  let now = 0;
  const quality = new FrameQuality(() => now);
  /** Half a second in which this many messages arrive. */
  const receive = (good: number, bad: number) => {
    for (let n = 0; n < good; n++) quality.good();
    for (let n = 0; n < bad; n++) quality.bad('read threw.');
    now += 500;
    return quality.problem();
  };
  return { receive, reset: () => quality.reset() };
}

it.each([
  ['no message', 0, 0, undefined],
  ['a few bad messages and nothing else', 0, 1, undefined],
  ['one bad message in 100', 99, 1, undefined],
  ['one bad message in 20', 95, 5, 'degraded'],
  ['one bad message in two', 20, 20, 'down'],
  ['only bad messages', 0, 10, 'down'],
])('%s in each half second: %#', (_, good, bad, expected) => {
  const { receive } = feed();
  const states = Array.from({ length: 5 }, () => receive(good, bad)?.state);
  expect(states.at(-1)).toBe(expected);
});

it('says which share is not understood, and why', () => {
  const { receive } = feed();
  receive(300, 0);
  expect(receive(70, 30)?.detail).toBe("8 % of the feed's messages cannot be understood: read threw.");
});

it('notices within 3 s that a mapping breaks, and within 3 s that it works again', () => {
  const { receive } = feed();
  for (let n = 0; n < 20; n++) expect(receive(50, 0)).toBeUndefined();
  const broken = Array.from({ length: 6 }, () => receive(0, 50)?.state);
  expect(broken.at(-1)).toBe('down');
  const mended = Array.from({ length: 6 }, () => receive(50, 0)?.state);
  expect(mended.at(-1)).toBeUndefined();
});

it('forgets a broken connection', () => {
  const { receive, reset } = feed();
  expect(receive(0, 50)?.state).toBe('down');
  reset();
  expect(receive(1, 0)).toBeUndefined();
});
