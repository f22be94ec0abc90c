// Compile-time checks of asks and bots: payloads and answers follow from the channel, handlers from the schemas.

import {
  type CommandResult,
  type DeepReadonly,
  defineChannel,
  type PlaceOrder,
  type Price,
  tradeCommands,
} from 'tickbus';
import { defineBot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { MemoryConnection } from 'tickbus/testing';
import { describe, expectTypeOf, it } from 'vitest';
import { z } from 'zod';

const { PRICE_DATA, TRADE_COMMANDS } = CHANNELS;
const connection = new MemoryConnection();
const publisher = new RedisPublisher({ connection });
const subscriber = new RedisSubscriber({ connection });
const tick = { symbol: 'AAPL', price: 1, timestamp: 1 };

describe('ask', () => {
  it('takes the payload of the type, and resolves with the payload of the answers', async () => {
    const result = await publisher.ask(TRADE_COMMANDS, { bot: 'momentum' }, { type: 'pause' });
    expectTypeOf(result).toEqualTypeOf<DeepReadonly<CommandResult>>();
    // @ts-expect-error a pause has no symbol
    publisher.ask(TRADE_COMMANDS, { bot: 'momentum', symbol: 'AAPL' }, { type: 'pause' });
    // @ts-expect-error PRICE_DATA has no answers
    publisher.ask(PRICE_DATA, tick);
    publisher.ask(
      TRADE_COMMANDS,
      { bot: 'b' },
      { type: 'pause', onAccepted: ({ detail }) => expectTypeOf(detail).toEqualTypeOf<string | undefined>() },
    );
  });

  it('takes own command types, with the bot', () => {
    const commands = tradeCommands({ set_size: z.object({ size: z.string().transform(Number) }) });
    publisher.ask(commands, { bot: 'momentum', size: '5' }, { type: 'set_size' });
    // @ts-expect-error every command names its bot
    publisher.ask(commands, { size: '5' }, { type: 'set_size' });
    // @ts-expect-error the input of the schema is a string
    publisher.ask(commands, { bot: 'momentum', size: 5 }, { type: 'set_size' });
    subscriber.subscribe(commands, ({ data }) => expectTypeOf(data.size).toEqualTypeOf<number>(), {
      types: ['set_size'],
    });
  });

  it('is answered by a bot, whose handlers get the output of the schemas', () => {
    const own = z.object({ size: z.string().transform(Number) });
    const bot = defineBot({ name: 'b', connection })
      .onPrice(({ price, fresh }) => {
        expectTypeOf(price).toEqualTypeOf<number>();
        expectTypeOf(fresh()).toEqualTypeOf<DeepReadonly<Price>>();
      })
      .onCommand('place_order', ({ data }) => {
        expectTypeOf(data).toEqualTypeOf<DeepReadonly<PlaceOrder>>();
        return { outcome: 'done' };
      })
      .onCommand('set_size', own, async ({ data }) => {
        expectTypeOf(data.size).toEqualTypeOf<number>();
        return { outcome: 'rejected', detail: data.bot };
      })
      .onCommand('flatten', z.object({}), () => ({ outcome: 'done' }));
    publisher.ask(bot.commands, { bot: 'b', size: '5' }, { type: 'set_size' });
    publisher.ask(bot.commands, { bot: 'b' }, { type: 'flatten' });
    bot.send('pause', { bot: 'b' });
    // @ts-expect-error a bot handles pause by itself
    bot.onCommand('pause', () => ({ outcome: 'done' }));
    // @ts-expect-error an own command needs a schema
    bot.onCommand('other', () => ({ outcome: 'done' }));
    // @ts-expect-error there is no such outcome
    bot.onCommand('cancel_all', () => ({ outcome: 'maybe' }));
  });

  it('needs answers with the id of the command and an outcome', () => {
    const go = z.object({});
    const unnamed = defineChannel('UNNAMED', {
      kind: 'event',
      messages: { reply: z.object({ text: z.string() }) },
    });
    // @ts-expect-error the payload lacks command_id and outcome
    defineChannel('GO', { kind: 'command', messages: { go }, answers: unnamed });
  });
});
