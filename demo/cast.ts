// Everybody in the demo: a broker that allows one connection, the gateway that holds it, a rival that is refused, three bots.

import { setTimeout as sleep } from 'node:timers/promises';
import { createAlpacaFeed } from '@tickbus/price-gateway/feeds/alpaca';
import { createGateway, type Gateway } from '@tickbus/price-gateway/gateway';
import type { Bot } from '@tickbus/sample-bots/bot';
import { startMomentumBot } from '@tickbus/sample-bots/momentum';
import { startPaperTrader } from '@tickbus/sample-bots/paper-trader';
import { startRiskGuard } from '@tickbus/sample-bots/risk-guard';
import {
  LOCAL_CREDENTIALS,
  type SimulatedBroker,
  startSimulatedBroker,
} from '@tickbus/simulated-broker/broker';
import { openCaptureSource } from '@tickbus/simulated-broker/sources/capture';
import { createGenerator } from '@tickbus/simulated-broker/sources/generator';
import type { Logger, MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import type { DemoConfig } from './config.ts';
import type { Embedded } from './embedded.ts';
import { preciseClock } from './precise-clock.ts';

export type PriceMessage = MessageOf<typeof CHANNELS.PRICE_DATA>;
export type CommandMessage = MessageOf<typeof CHANNELS.TRADE_COMMANDS>;

export interface Cast {
  readonly broker: SimulatedBroker;
  readonly gateway: Gateway;
  readonly bots: readonly Bot[];
  /** What the broker said to the second connection; undefined until it has. */
  readonly refusal: string | undefined;
  close(): Promise<void>;
}

export interface CastHooks {
  onPrice(bot: string, message: PriceMessage): void;
  onCommand(message: CommandMessage): void;
}

/** Starts everybody, the bots before the gateway, so that they see the first price. */
export async function gather(
  config: DemoConfig,
  embedded: Embedded,
  hooks: CastHooks,
  logger: Logger,
): Promise<Cast> {
  const source = config.capture
    ? await openCaptureSource({ path: config.capture, speed: config.speed })
    : createGenerator({ rate: config.rate, seed: config.seed });
  const broker = await startSimulatedBroker({ source });
  const symbols = source.symbols;

  const start = (name: string) => ({
    connection: embedded.connect(),
    name,
    symbols,
    logger,
    onPrice: (message: PriceMessage) => hooks.onPrice(name, message),
  });
  const bots = await Promise.all([
    startMomentumBot(start('momentum')),
    startPaperTrader(start('paper-trader')),
    startRiskGuard(start('risk-guard')),
  ]);
  const onlooker = new RedisSubscriber({ connection: embedded.connect(), logger });
  onlooker.subscribe(CHANNELS.TRADE_COMMANDS, hooks.onCommand);
  await onlooker.startListening();

  const newFeed = () => createAlpacaFeed({ ...LOCAL_CREDENTIALS, url: broker.url });
  const publisher = new RedisPublisher({
    connection: embedded.connect(),
    sender: 'price-gateway',
    clock: preciseClock,
    logger,
  });
  const gateway = createGateway({ feed: newFeed(), symbols, publisher, logger });
  await gateway.start();

  const rival = newFeed();
  let refusal: string | undefined;
  // Only once the gateway holds the connection, or the rival might get it.
  const challenge = setInterval(() => {
    if (gateway.stats.feed.state !== 'live') return;
    clearInterval(challenge);
    rival.start({
      mayConnect: async () => {},
      onFrame() {},
      onInvalidFrame() {},
      onSubscribed() {},
      onRefused() {},
      onState(state) {
        if (state.type !== 'down' || refusal !== undefined) return;
        refusal = state.reason;
        void rival.close();
      },
    });
  }, 100);

  return {
    broker,
    gateway,
    bots,
    get refusal() {
      return refusal;
    },
    async close() {
      clearInterval(challenge);
      await rival.close();
      await gateway.stop();
      await allDelivered(bots, gateway.stats.published);
      await Promise.all(bots.map((bot) => bot.stop()));
      await onlooker.close();
      await broker.close();
    },
  };
}

/** What was published last is still on its way to the bots; a bot that has not got it after a while is shown as it is. */
async function allDelivered(bots: readonly Bot[], published: number): Promise<void> {
  const isBehind = ({ subscriber }: Bot) => {
    const { delivered = 0, conflated = 0 } = subscriber.status(CHANNELS.PRICE_DATA) ?? {};
    return delivered + conflated < published;
  };
  const giveUpAt = performance.now() + LAST_DELIVERY_MS;
  while (bots.some(isBehind) && performance.now() < giveUpAt) await sleep(5);
}

const LAST_DELIVERY_MS = 2_000;
