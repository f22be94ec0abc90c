// For the tests of `from` in memory: a publisher of numbered bars, and bots.

import { eventLoopTurns } from '@tickbus/test-kit';
import { defineChannel } from '../../channel/channel.ts';
import type { From } from '../../subscribe/from.ts';
import { SubscriberBase } from '../../subscribe/subscriber-base.ts';
import type { Position } from '../../wire/position.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { type BarsChannel, Bot, bar, barsChannel } from './bars.fixture.ts';

export const BARS = barsChannel('BARS');
/** The history of the channel reaches back less far than those of its keys. */
export const SHORT = barsChannel('SHORT', 5);
export const NOTES = defineChannel('NOTES', {
  kind: 'event',
  key: 'name',
  history: 20,
  messages: { bar },
});

export class BarsWorld extends PubSubHarness {
  readonly #sent = new Map<string, number>();

  /** How many of a key have been published. */
  sent(name: string): number {
    return this.#sent.get(name) ?? 0;
  }

  /** Publishes the next numbers of a key. */
  async send(channel: BarsChannel | typeof NOTES, name: string, count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const n = (this.#sent.get(name) ?? 0) + 1;
      this.#sent.set(name, n);
      await this.publisher.publish(channel, { name, n });
    }
  }

  async bot(channel: BarsChannel, keys: readonly string[] | undefined, from?: From): Promise<Bot> {
    const bot = new Bot(this.subscriber, channel, keys, from);
    await this.subscriber.startListening();
    await eventLoopTurns();
    return bot;
  }

  /** Advances the clock until the promise has settled: a recovery and a read are retried after a second. */
  async whileTimePasses(promise: Promise<unknown>): Promise<void> {
    let isSettled = false;
    const end = () => {
      isSettled = true;
    };
    promise.then(end, end);
    while (!isSettled) {
      await eventLoopTurns(20);
      await this.clock.advance(1_000);
    }
    await promise;
  }

  newSubscriber(): SubscriberBase {
    return new SubscriberBase({ transport: this.link, clock: this.clock, logger: this.logger });
  }

  head(channel: BarsChannel | typeof NOTES): Position {
    return this.server.head(channel).position;
  }
}
