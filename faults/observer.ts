// A plain client on one channel: it hears every message in the order in which the server published it, and who wrote it.

import { checkWriters, type Heard } from '@tickbus/fault-kit/writers';
import { createClient } from 'redis';
import type { NoteChannel } from './channels.ts';
import type { Stage } from './stage.ts';

interface Document {
  readonly data: { readonly n: number };
  readonly epoch: number;
  readonly seq: number;
  readonly sender: string;
}

export class Observer {
  readonly heard: Heard[] = [];
  /** Whoever it has heard of, in the order of their first message. */
  get writers(): readonly string[] {
    return [...new Set(this.heard.map(({ sender }) => sender))];
  }

  static async listen(stage: Stage, channel: NoteChannel): Promise<Observer> {
    const { host, port } = stage.redis;
    const client = createClient({ socket: { host, port, reconnectStrategy: false } });
    client.on('error', () => {});
    const observer = new Observer();
    await client.connect();
    await client.subscribe(channel.name, (json) => observer.#hears(JSON.parse(json) as Document));
    stage.atEnd(() => client.destroy());
    return observer;
  }

  /** What is wrong with the order of the writers; empty when nothing is. */
  problems(): string[] {
    return checkWriters(this.heard);
  }

  #hears({ data: { n }, epoch, seq, sender }: Document): void {
    this.heard.push({ n, epoch, seq, sender });
  }
}
