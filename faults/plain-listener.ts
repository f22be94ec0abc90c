// A plain client on one channel: it hears every message in the order in which the server published it, and who wrote it.

import { checkWriters, type ObservedMessage } from '@tickbus/fault-kit/writers';
import { createClient } from 'redis';
import type { NoteChannel } from './fault-channels.ts';
import type { Testbed } from './testbed.ts';

interface Document {
  readonly data: { readonly n: number };
  readonly epoch: number;
  readonly seq: number;
  readonly sender: string;
}

export class PlainListener {
  readonly messages: ObservedMessage[] = [];
  /** Whoever it has heard of, in the order of their first message. */
  get writers(): readonly string[] {
    return [...new Set(this.messages.map(({ sender }) => sender))];
  }

  static async listen(testbed: Testbed, channel: NoteChannel): Promise<PlainListener> {
    const { host, port } = testbed.redis;
    const client = createClient({ socket: { host, port, reconnectStrategy: false } });
    client.on('error', () => {});
    const observer = new PlainListener();
    await client.connect();
    await client.subscribe(channel.name, (json) => observer.#hears(JSON.parse(json) as Document));
    testbed.atEnd(() => client.destroy());
    return observer;
  }

  /** What is wrong with the order of the writers; empty when nothing is. */
  problems(): string[] {
    return checkWriters(this.messages);
  }

  #hears({ data: { n }, epoch, seq, sender }: Document): void {
    this.messages.push({ n, epoch, seq, sender });
  }
}
