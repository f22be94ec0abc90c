// The two links of a service to Redis.

import type { Logger } from '../../runtime/logger.ts';
import { inNamespace } from '../namespaced-transport.ts';
import type { Connection, Transport } from '../port.ts';
import { ClusterTopology } from './cluster/cluster-topology.ts';
import { ClusterTransport } from './cluster/cluster-transport.ts';
import type { LinkSettings } from './link-settings.ts';
import { RedisTransport } from './redis-transport.ts';
import { withSentinels } from './sentinel/sentinel-locator.ts';

/** One link for publishing and one for subscribing, each created on first use. */
export class RedisLinks implements Connection {
  readonly #settings: LinkSettings;
  readonly #logger: Logger;
  /** Undefined unless the address is that of a cluster. */
  readonly #topology: ClusterTopology | undefined;
  #publishing: Transport | undefined;
  #subscribing: Transport | undefined;

  constructor(settings: LinkSettings, logger: Logger) {
    this.#settings = withSentinels(settings);
    this.#logger = logger;
    if (settings.cluster !== undefined)
      this.#topology = new ClusterTopology(namedSettings(settings, 'topology'), logger);
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
    this.#topology?.close();
    await Promise.all([this.#publishing?.close(), this.#subscribing?.close()]);
  }

  #link(role: 'pub' | 'sub'): Transport {
    const settings = namedSettings(this.#settings, role);
    const transport =
      this.#topology === undefined
        ? new RedisTransport(settings, this.#logger)
        : new ClusterTransport(settings, this.#logger, this.#topology);
    return inNamespace(this.#settings.namespace, transport);
  }
}

/** The name in CLIENT LIST ends with the role of the connection. */
function namedSettings(settings: LinkSettings, role: string): LinkSettings {
  return { ...settings, name: `${settings.name}:${role}` };
}
