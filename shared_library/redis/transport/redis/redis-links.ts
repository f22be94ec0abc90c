// The two links of a service to Redis.

import type { Logger } from '../../runtime/logger.ts';
import type { Connection, Transport } from '../port.ts';
import type { LinkSettings } from './link-settings.ts';
import { RedisTransport } from './redis-transport.ts';
import { withSentinels } from './sentinel/sentinel-locator.ts';

/** One link for publishing and one for subscribing, each created on first use. */
export class RedisLinks implements Connection {
  readonly #settings: LinkSettings;
  readonly #logger: Logger;
  #publishing: RedisTransport | undefined;
  #subscribing: RedisTransport | undefined;

  constructor(settings: LinkSettings, logger: Logger) {
    this.#settings = withSentinels(settings);
    this.#logger = logger;
  }

  get publishing(): Transport {
    this.#publishing ??= this.#link('pub');
    return this.#publishing;
  }

  get subscribing(): Transport {
    this.#subscribing ??= this.#link('sub');
    return this.#subscribing;
  }

  async close(): Promise<void> {
    await Promise.all([this.#publishing?.close(), this.#subscribing?.close()]);
  }

  #link(role: 'pub' | 'sub'): RedisTransport {
    return new RedisTransport({ ...this.#settings, name: `${this.#settings.name}:${role}` }, this.#logger);
  }
}
