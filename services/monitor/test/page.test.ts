// The page in a real Chromium, over a whole desk: what an operator sees when something breaks, and when it is mended.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PageSetup } from './page.fixture.ts';
import { testActivity } from './page-activity.fixture.ts';
import { testBoards } from './page-boards.fixture.ts';
import { testFaults } from './page-faults.fixture.ts';

// One desk and one page for all: each part goes on where the one before it has left them.
const scene = new PageSetup();
beforeAll(() => scene.open(), 90_000);
afterAll(() => scene.close());

describe('with everything up', () => {
  testBoards(scene);
  testActivity(scene);

  it('is usable in the ways that axe-core can check, dark and wide, light and narrow', async () => {
    await scene.driver.price('MSFT').locator('button').click();
    await scene.driver.openTab('Tail');
    for (const [colorScheme, width] of [
      ['dark', 1440],
      ['light', 390],
    ] as const) {
      await scene.page.emulateMedia({ colorScheme });
      await scene.page.setViewportSize({ width, height: 900 });
      const { wide, faults } = await scene.driver.audit();
      expect({ colorScheme, width, faults }).toEqual({ colorScheme, width, faults: [] });
      expect(wide).toBeLessThanOrEqual(width);
    }
    // Nothing has to be scrolled to sideways at 390 px.
    for (const part of ['prices', 'bots', 'channels', 'activity'])
      expect([part, await scene.driver.horizontalOverflow(`.${part} .scroll`)]).toEqual([part, 0]);
    expect(await scene.driver.bot('momentum').locator('td').last().isVisible()).toBe(true);
    await scene.page.setViewportSize({ width: 1440, height: 900 });
    await scene.driver.price('MSFT').locator('button').click();
  });
});

describe('when something breaks', () => testFaults(scene));

it('the browser complained of nothing', () => {
  expect(scene.driver.browserErrors).toEqual([]);
});
