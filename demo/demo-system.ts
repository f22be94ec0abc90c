// Everybody in the demo: a broker that allows one connection, the gateway that holds it, a rival that is refused, three bots.

import { setTimeout as sleep } from 'node:timers/promises';
import { createAlpacaFeed } from '@tickbus/price-gateway/feeds/alpaca';
import type { Feed } from '@tickbus/price-gateway/feeds/feed';
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
import type { Logger, Position } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { DemoConfig } from './config.ts';
import type { DemoTransport } from './demo-transport.ts';
import { type Gateways, startGateway, startGatewayPair } from './gateways.ts';
import type { CommandMessage, PriceMessage } from './messages.ts';
import { TrafficObserver } from './traffic-observer.ts';

export interface DemoSystem {
  readonly broker: SimulatedBroker;
  readonly gateways: Gateways;
  readonly observer: TrafficObserver;
  readonly bots: readonly Bot[];
  /** What the broker said to the second connection; undefined until it has. */
  readonly refusal: string | undefined;
  close(): Promise<void>;
}

export interface DemoHooks {
  onPrice(bot: string, message: PriceMessage): void;
  onCommand(message: CommandMessage): void;
}

/** Starts everybody, the bots before the gateways, so that they see the first price. */
export async function startSystem(
  config: DemoConfig,
  embedded: DemoTransport,
  hooks: DemoHooks,
  logger: Logger,
): Promise<DemoSystem> {
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
  const observer = new TrafficObserver(embedded.connect(), logger, hooks.onCommand);
  await observer.start();
  const startAll = config.failover ? startGatewayPair : startGateway;
  const gateways = await startAll({ embedded, brokerUrl: broker.url, symbols, logger });
  const rival = new SecondConnection(broker.url, () => observer.feed?.state === 'live');

  return {
    broker,
    gateways,
    observer,
    bots,
    get refusal() {
      return rival.refusal;
    },
    async close() {
      await rival.close();
      await gateways.close();
      await waitForDelivery(bots, await observer.readEnd());
      await Promise.all(bots.map((bot) => bot.stop()));
      await observer.close();
      await broker.close();
    },
  };
}

/** Another program that wants the broker's one connection. */
class SecondConnection {
  refusal: string | undefined;
  readonly #feed: Feed;
  readonly #timer: NodeJS.Timeout;

  /** @param isTaken only then does it try, or it might get the connection */
  constructor(url: string, isTaken: () => boolean) {
    this.#feed = createAlpacaFeed({ ...LOCAL_CREDENTIALS, url });
    this.#timer = setInterval(() => {
      if (!isTaken()) return;
      clearInterval(this.#timer);
      this.#try();
    }, 100);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#feed.close();
  }

  #try(): void {
    this.#feed.start({
      mayConnect: async () => {},
      onFrame() {},
      onInvalidFrame() {},
      onSubscribed() {},
      onRefused() {},
      onState: (state) => {
        if (state.type !== 'down' || this.refusal !== undefined) return;
        this.refusal = state.reason;
        void this.#feed.close();
      },
    });
  }
}

/** What was published last is still on its way to the bots; a bot that has not got it after a while is shown as it is. */
async function waitForDelivery(bots: readonly Bot[], { epoch, seq }: Position): Promise<void> {
  const isBehind = ({ subscriber }: Bot) => {
    const { position, queueDepth = 0 } = subscriber.status(CHANNELS.PRICE_DATA) ?? {};
    return queueDepth > 0 || position?.epoch !== epoch || position.seq < seq;
  };
  const giveUpAt = performance.now() + DELIVERY_TIMEOUT_MS;
  while (bots.some(isBehind) && performance.now() < giveUpAt) await sleep(5);
}

const DELIVERY_TIMEOUT_MS = 2_000;
