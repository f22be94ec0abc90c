// A bar builder that restarts, and late bots, on any server: they continue from what is stored.

import { expect, it } from 'vitest';
import { all, barsOf, SYMBOLS, type TradeDesk, WAIT } from './stored-trades.fixture.ts';

/** @param open the desk of a test, on an empty server */
export function describeStoredTrades(open: () => Promise<TradeDesk>): void {
  it('a builder that restarts alone continues from the stored trades, and publishes no bar again', async () => {
    await using desk = await open();
    const trade = await desk.tradePublisher();
    await desk.prepareBars();
    const bars = await desk.observedBars();
    const first = await desk.startService();
    for (const after of [-1_000, 100, 600, 1_100]) await trade(after);
    await barsOf(0, bars, first).toEqual(all({ revision: 0, complete: true, trades: 2 }));
    await first[Symbol.asyncDispose]();
    await trade(1_600);
    await trade(2_100);
    const second = await desk.startService();
    await trade(3_000);
    await barsOf(1, bars, second).toEqual(all({ revision: 0, complete: true, trades: 2 }));
    await barsOf(2, bars, second).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    expect(bars.repeated).toEqual([]);
    expect(second.stats).toMatchObject({ ignored: { repeated: 0 }, failures: {} });
  });

  it('a late bot gets the last bars of its keys, and resumes after them', async () => {
    await using desk = await open();
    const trade = await desk.tradePublisher();
    await desk.prepareBars();
    const bars = await desk.observedBars();
    const service = await desk.startService();
    for (let second = -1; second <= 5; second++) await trade(second * 1_000);
    await barsOf(4, bars, service).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    const late = await desk.startBot({ last: 2 });
    await expect.poll(() => late.starts(), WAIT).toEqual(SYMBOLS.map(() => [3, 4]));
    const positions = late.positions();
    await late.subscriber.close();
    await trade(6_000);
    await barsOf(5, bars, service).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    const resumed = await desk.startBot({ positions });
    await trade(7_000);
    await barsOf(6, bars, service).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    await expect.poll(() => resumed.starts(), WAIT).toEqual(SYMBOLS.map(() => [5, 6]));
    expect([...late.gaps, ...resumed.gaps]).toEqual([]);
  });
}
