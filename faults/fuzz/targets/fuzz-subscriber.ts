// Fuzz target of a whole subscriber: whatever a channel carries, the next real message is handled.

import fc from 'fast-check';
import { RedisPublisher, RedisSubscriber } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { MemoryConnection } from 'tickbus/testing';
import { within } from '../../wait.ts';
import { envelopes } from '../corpus.ts';
import { mutated } from '../mutations.ts';
import { defineTarget, timed } from '../target.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
/** A long limit, because a recovery needs several replies from the server. */
const HANDLED_MS = 20_000;
const BOT = 'fuzz';

export const subscriber = defineTarget({
  name: 'subscriber',
  inputs: fc.array(mutated(envelopes()), { minLength: 1, maxLength: 20 }),
  runs: 20,
  async check(frames) {
    const connection = new MemoryConnection();
    const publisher = new RedisPublisher({ connection, logger: SILENT });
    const listener = new RedisSubscriber({ connection, logger: SILENT });
    try {
      const last = new Promise<void>((resolve) => {
        const onCommand = ({ sender }: { readonly sender: string }) => void (sender === 'last' && resolve());
        listener.subscribe(CHANNELS.TRADE_COMMANDS, onCommand, { keys: [BOT] });
      });
      listener.subscribe(CHANNELS.PRICE_DATA, () => {});
      await listener.startListening();
      for (const frame of frames)
        for (const { name } of [CHANNELS.TRADE_COMMANDS, CHANNELS.PRICE_DATA])
          timed(`A frame on ${name}`, () => connection.server.publishRaw(name, frame));
      const sender = new RedisPublisher({ connection, logger: SILENT, sender: 'last' });
      await sender.publish(CHANNELS.TRADE_COMMANDS, { bot: BOT }, { type: 'resume' });
      await within('The message after the frames is handled', last, HANDLED_MS);
    } finally {
      await listener.close();
      await publisher.close();
    }
  },
});
