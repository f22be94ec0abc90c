// Shared helpers of the monitor's tests: an event stream reader, and waiting for a condition.

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { vi } from 'vitest';

/** Waits until `check` no longer throws. The timeout only limits how long a failing test waits. */
export function eventually<T>(check: () => T | Promise<T>, timeout = 50_000): Promise<T> {
  return vi.waitFor(check, { timeout, interval: 20 });
}

interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** Reads server-sent events one by one. `pause` stops reading, like a slow browser. */
export class EventStreamReader {
  readonly #response: IncomingMessage;
  readonly #events: ServerEvent[] = [];
  #text = '';
  #arrived: () => void = () => {};

  private constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => this.#read(chunk));
    response.on('error', () => {});
  }

  static async open(url: string): Promise<EventStreamReader> {
    const request = get(url);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    // Ignores the abort at the end of a test.
    request.on('error', () => {});
    if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}.`);
    return new EventStreamReader(response);
  }

  async next(): Promise<ServerEvent> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#response.destroy();
  }

  #read(chunk: string): void {
    const parts = (this.#text + chunk).split('\n\n');
    this.#text = parts.pop() ?? '';
    for (const part of parts) {
      const fields = new Map(
        part.split('\n').map((line) => [line.split(': ', 1)[0], line.slice(line.indexOf(': ') + 2)]),
      );
      this.#events.push({ event: fields.get('event') ?? 'message', data: fields.get('data') ?? '' });
    }
    this.#arrived();
  }
}
