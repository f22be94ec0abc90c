// A monitor on its own Redis for the server tests, with a publisher and an HTTP client.

import { type IncomingMessage, request } from 'node:http';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import type { Audit } from 'tickbus';
import { type Bot, defineBot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { type Monitor, startMonitor } from '../monitor-service.ts';

export const TOKEN = 'a token for the tests';

interface HttpResult {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export class MonitorServer {
  readonly redis: LocalRedis;
  readonly monitor: Monitor;
  readonly publisher: RedisPublisher;
  readonly #bot: Bot | undefined;

  private constructor(redis: LocalRedis, monitor: Monitor, bot: Bot | undefined) {
    this.#bot = bot;
    this.redis = redis;
    this.monitor = monitor;
    this.publisher = new RedisPublisher({ url: redis.url, sender: 'test', logger: silentLogger });
  }

  /** @param withBot whether the bot `momentum` answers commands */
  static async open(withBot = false): Promise<MonitorServer> {
    const redis = await startLocalRedis();
    const monitor = await startMonitor({ url: redis.url, port: 0, token: TOKEN, logger: silentLogger });
    const bot = withBot
      ? defineBot({ name: 'momentum', url: redis.url, logger: silentLogger }).onCommand(
          'place_order',
          () => ({
            outcome: 'failed',
            detail: 'No broker.',
          }),
        )
      : undefined;
    await bot?.start();
    return new MonitorServer(redis, monitor, bot);
  }

  /** Uses node:http, because `fetch` does not allow setting Host and Origin. */
  get(path: string, headers: Record<string, string> = {}, url = this.monitor.url): Promise<HttpResult> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const outgoing = request({ hostname, port, path, headers }, async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk as Buffer);
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  async close(): Promise<void> {
    await this.#bot?.stop();
    await this.publisher.close();
    await this.monitor.close();
    await this.redis.kill();
  }
}

/** Collects AUDIT messages from now on. */
export class AuditListener {
  readonly data: Audit[] = [];
  readonly #subscriber: RedisSubscriber;

  private constructor(url: string) {
    this.#subscriber = new RedisSubscriber({ url, logger: silentLogger });
    this.#subscriber.subscribe(CHANNELS.AUDIT, (message) => this.data.push(message.data));
  }

  static async open(url: string): Promise<AuditListener> {
    const listener = new AuditListener(url);
    await listener.#subscriber.startListening();
    return listener;
  }

  close(): Promise<void> {
    return this.#subscriber.close();
  }
}

/** @param headers in addition to those that the page sends */
export async function postCommand(
  url: string,
  body: unknown,
  token: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(`${url}/api/commands`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.text() };
}
