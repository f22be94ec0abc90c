// The two links of a service to Redis.

import type { Logger } from '../../runtime/logger.ts';
import { inNamespace } from '../namespaced-transport.ts';
import type { Connection, Transport } from '../port.ts';
import type { LinkSettings } from './link-settings.ts';
import { RedisTransport } from './redis-transport.ts';

/** One link for publishing and one for subscribing, each created on first use. */
export class RedisLinks implements Connection {
  readonly #settings: LinkSettings;
  readonly #logger: Logger;
  #publishing: Transport | undefined;
  #subscribing: Transport | undefined;

  constructor(settings: LinkSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
  }

  get namespace(): string | undefined {
    return this.#settings.namespace;
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

  #link(role: 'pub' | 'sub'): Transport {
    const settings = { ...this.#settings, name: `${this.#settings.name}:${role}` };
    return inNamespace(this.#settings.namespace, new RedisTransport(settings, this.#logger));
  }
}
