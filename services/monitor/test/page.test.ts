// The page in a real Chromium with the full system: normal operation, failures and recovery.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PageSetup } from './page.fixture.ts';
import { testActivity } from './page-activity.fixture.ts';
import { testBoards } from './page-boards.fixture.ts';
import { testFaults } from './page-faults.fixture.ts';

// All tests share one system and one page; each continues from the state that the previous one left.
const setup = new PageSetup();
beforeAll(() => setup.open(), 90_000);
afterAll(() => setup.close());

describe('in normal operation', () => {
  testBoards(setup);
  testActivity(setup);

  it('passes axe-core, dark and wide, light and narrow', async () => {
    await setup.driver.price('MSFT').locator('button').click();
    await setup.driver.openTab('Tail');
    for (const [colorScheme, width] of [
      ['dark', 1440],
      ['light', 390],
    ] as const) {
      await setup.page.emulateMedia({ colorScheme });
      await setup.page.setViewportSize({ width, height: 900 });
      const { width: pageWidth, violations } = await setup.driver.audit();
      expect({ colorScheme, width, violations }).toEqual({ colorScheme, width, violations: [] });
      expect(pageWidth).toBeLessThanOrEqual(width);
    }
    // No horizontal scrolling at 390 px.
    for (const part of ['prices', 'bots', 'channels', 'activity'])
      expect([part, await setup.driver.horizontalOverflow(`.${part} .scroll`)]).toEqual([part, 0]);
    expect(await setup.driver.bot('momentum').locator('td').last().isVisible()).toBe(true);
    await setup.page.setViewportSize({ width: 1440, height: 900 });
    await setup.driver.price('MSFT').locator('button').click();
  });
});

describe('during failures', () => testFaults(setup));

it('the browser reported no errors', () => {
  expect(setup.driver.browserErrors).toEqual([]);
});
