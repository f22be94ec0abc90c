// Drives the page in Chromium: locators, indicator states and accessibility audits.

import axe from 'axe-core';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { openBrowser } from '../bench/browser.ts';

type IndicatorStates = Readonly<Record<'redis' | 'broker' | 'data', string | null>>;

export class PageDriver {
  readonly page: Page;
  /** Uncaught exceptions, console errors (such as Content-Security-Policy violations) and requests to other hosts. */
  readonly browserErrors: string[] = [];
  readonly #browser: { readonly context: BrowserContext; close(): Promise<void> };

  private constructor(browser: { context: BrowserContext; close(): Promise<void> }, page: Page) {
    this.#browser = browser;
    this.page = page;
    page.on('pageerror', ({ message }) => this.browserErrors.push(message));
    page.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol.startsWith('http') && hostname !== '127.0.0.1')
        this.browserErrors.push(`Unexpected request: ${request.url()}`);
    });
    page.on('console', (message) => {
      // Broken streams are part of the tests.
      if (message.type() === 'error' && !message.text().includes('Failed to load resource'))
        this.browserErrors.push(message.text());
    });
  }

  static async open(): Promise<PageDriver> {
    const browser = await openBrowser();
    // Blocks every other host: the page must work without the internet.
    await browser.context.route(
      ({ hostname }) => hostname !== '127.0.0.1',
      (route) => route.abort(),
    );
    await browser.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    return new PageDriver(browser, await browser.context.newPage());
  }

  async indicators(): Promise<IndicatorStates> {
    const [redis, broker, data] = await Promise.all(
      ['redis', 'broker', 'data'].map((name) =>
        this.page.locator(`[data-indicator="${name}"]`).getAttribute('data-state'),
      ),
    );
    return { redis: redis ?? null, broker: broker ?? null, data: data ?? null };
  }

  price(symbol: string): Locator {
    return this.page.locator(`tr[data-symbol="${symbol}"]`);
  }

  verdict(symbol: string): Promise<string | null> {
    return this.price(symbol).locator('.col-verdict').textContent();
  }

  bot(name: string): Locator {
    return this.page.locator(`tr[data-bot="${name}"]`);
  }

  event(kind: string, text: string): Locator {
    return this.page.locator(`tr[data-kind="${kind}"]`, { hasText: text }).first();
  }

  openTab(name: string): Promise<void> {
    return this.page.getByRole('tab', { name }).click();
  }

  styleOf(selector: string, property: string): Promise<string> {
    return this.page.evaluate(
      `getComputedStyle(document.querySelector(${JSON.stringify(selector)})).${property}`,
    );
  }

  /** Resolves a CSS colour variable to its current value. */
  colour(name: string): Promise<string> {
    return this.page.evaluate(`(() => {
      const probe = document.body.appendChild(document.createElement('i'));
      probe.style.color = 'var(${name})';
      const { color } = getComputedStyle(probe);
      probe.remove();
      return color;
    })()`);
  }

  rightEdge(selector: string): Promise<number> {
    return this.page.evaluate(
      `document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().right`,
    );
  }

  /** Pixels that are visible only after horizontal scrolling. */
  horizontalOverflow(selector: string): Promise<number> {
    return this.page.evaluate(`(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(
      document.querySelector(${JSON.stringify(selector)}))`);
  }

  /**
   * Returns the page width in pixels and the serious violations found by axe-core. Evaluates through the DevTools
   * protocol, which the Content-Security-Policy does not restrict.
   */
  async audit(): Promise<{ width: number; violations: string[] }> {
    const session = await this.page.context().newCDPSession(this.page);
    const evaluate = async (expression: string) => {
      const parameters = { expression, awaitPromise: true, returnByValue: true };
      return (await session.send('Runtime.evaluate', parameters)).result.value;
    };
    await evaluate(`${axe.source}; undefined`);
    const violations = await evaluate(`axe.run().then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 120)).join(' | ')))`);
    const width = await evaluate('document.documentElement.scrollWidth');
    await session.detach();
    return { width, violations };
  }

  close(): Promise<void> {
    return this.#browser.close();
  }
}
