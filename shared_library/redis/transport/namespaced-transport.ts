// A transport within a namespace: renames each channel before the transport sees it. Nothing behind it can reach a
// channel or key of another namespace.

import { nameWithout, type SpecIn, specIn } from '../channel/namespace.ts';
import type { Transport } from './port.ts';

/** The same transport if there is no namespace. */
export function inNamespace(namespace: string | undefined, transport: Transport): Transport {
  return namespace === undefined ? transport : new NamespacedTransport(namespace, transport);
}

class NamespacedTransport implements Transport {
  readonly #namespace: string;
  readonly #specIn: SpecIn;
  readonly #transport: Transport;

  constructor(namespace: string, transport: Transport) {
    this.#namespace = namespace;
    this.#specIn = specIn(namespace);
    this.#transport = transport;
  }

  get byChannel() {
    return this.#transport.byChannel === true;
  }

  connect() {
    return this.#transport.connect();
  }

  publish(...[channel, ...others]: Parameters<Transport['publish']>) {
    return this.#transport.publish(this.#specIn(channel), ...others);
  }

  adopt(...[channel, messages]: Parameters<Transport['adopt']>) {
    return this.#transport.adopt(this.#specIn(channel), messages);
  }

  subscribe(...[channel, ...others]: Parameters<Transport['subscribe']>) {
    return this.#transport.subscribe(this.#specIn(channel), ...others);
  }

  areListenersNamed(...[channel]: Parameters<Transport['areListenersNamed']>) {
    return this.#transport.areListenersNamed(this.#specIn(channel));
  }

  read(...[channel, ...others]: Parameters<Transport['read']>) {
    return this.#transport.read(this.#specIn(channel), ...others);
  }

  readHistory(...[channel, query]: Parameters<Transport['readHistory']>) {
    return this.#transport.readHistory(this.#specIn(channel), query);
  }

  head(...[channel]: Parameters<Transport['head']>) {
    return this.#transport.head(this.#specIn(channel));
  }

  complain(...[channel, text]: Parameters<Transport['complain']>) {
    return this.#transport.complain(this.#specIn(channel), text);
  }

  lease(...[channel, ...others]: Parameters<Transport['lease']>) {
    return this.#transport.lease(this.#specIn(channel), ...others);
  }

  demand(...[channel]: Parameters<Transport['demand']>) {
    return this.#transport.demand(this.#specIn(channel));
  }

  setPartitions(...[channel, ...others]: Parameters<Transport['setPartitions']>) {
    return this.#transport.setPartitions(this.#specIn(channel), ...others);
  }

  onStatus(...[listener]: Parameters<Transport['onStatus']>) {
    return this.#transport.onStatus((status) => {
      if (!('channel' in status)) return listener(status);
      const { channel } = status;
      listener({ ...status, channel: nameWithout(this.#namespace, channel) ?? channel });
    });
  }

  close() {
    return this.#transport.close();
  }
}
