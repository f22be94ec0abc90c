// A plain Redis client (without tickbus) that records every message of a channel, in the order of publication.

import { checkWriters, type ObservedMessage } from '@tickbus/fault-kit/writers';
import { createClient } from 'redis';
import type { FaultChannel } from './fault-channels.ts';
import type { Testbed } from './testbed.ts';

interface Document {
  readonly data: { readonly n: number };
  readonly epoch: number;
  readonly seq: number;
  readonly sender: string;
}

export class PlainListener {
  readonly messages: ObservedMessage[] = [];
  /** The senders, in the order of their first message. */
  get writers(): readonly string[] {
    return [...new Set(this.messages.map(({ sender }) => sender))];
  }

  static async listen(testbed: Testbed, channel: FaultChannel): Promise<PlainListener> {
    const { host, port } = testbed.redis;
    const client = createClient({ socket: { host, port, reconnectStrategy: false } });
    client.on('error', () => {});
    const listener = new PlainListener();
    await client.connect();
    await client.subscribe(channel.name, (json) => listener.#record(JSON.parse(json) as Document));
    testbed.atEnd(() => client.destroy());
    return listener;
  }

  /** One sentence per violation: two writers at the same time, or a position that does not increase. */
  problems(): string[] {
    return checkWriters(this.messages);
  }

  #record({ data: { n }, epoch, seq, sender }: Document): void {
    this.messages.push({ n, epoch, seq, sender });
  }
}
