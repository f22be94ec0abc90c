// The operator's browser: asks for the page and the first frame of its stream, again and again.

import { delay } from '../wait.ts';

const EVERY_MS = 500;
/** A slower answer counts as a failed visit. The limit is long, because a test machine can be busy. */
const TIMEOUT_MS = 10_000;

export class PageVisits {
  readonly #url: string;
  #isStopped = false;
  #visiting: Promise<void> = Promise.resolve();
  answered = 0;
  failed = 0;
  /** Bytes of the largest first frame. */
  largestFrame = 0;

  constructor(url: string) {
    this.#url = url;
  }

  begin(): void {
    this.#isStopped = false;
    this.#visiting = (async () => {
      while (!this.#isStopped) {
        if (await this.visit()) this.answered++;
        else this.failed++;
        await delay(EVERY_MS);
      }
    })();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#visiting;
  }

  /** Requests the page and its stream. @returns whether both answered */
  async visit(): Promise<boolean> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const page = await fetch(this.#url, { signal });
      await page.text();
      const bytes = await firstFrame(await fetch(`${this.#url}/api/stream`, { signal }));
      this.largestFrame = Math.max(this.largestFrame, bytes);
      return page.ok && bytes > 0;
    } catch {
      return false;
    }
  }

  /** Sends a command with this token. @returns the HTTP status; undefined without an answer */
  async sendCommand(token: string | undefined): Promise<number | undefined> {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const body = JSON.stringify({ type: 'pause', data: { bot: 'nobody', reason: 'a test' } });
    const headers = { 'content-type': 'application/json', ...authorization };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = fetch(`${this.#url}/api/commands`, { method: 'POST', headers, body, signal });
    return response.then(
      async (answer) => {
        await answer.text();
        return answer.status;
      },
      () => undefined,
    );
  }
}

/** The size of the first event of a stream in bytes; 0 if the stream has none. */
async function firstFrame(response: Response): Promise<number> {
  if (!response.ok || response.body === null) return 0;
  let [bytes, text] = [0, ''];
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    text = text.slice(-1) + Buffer.from(chunk).toString('latin1');
    if (text.includes('\n\n')) break;
  }
  return bytes;
}
