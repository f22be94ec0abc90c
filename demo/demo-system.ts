// The components of the demo: a broker that allows one connection, the gateway that holds it, a second connection that
// the broker rejects, and three bots.

import { setTimeout as sleep } from 'node:timers/promises';
import { createAlpacaFeed } from '@tickbus/price-gateway/feeds/alpaca';
import type { Feed } from '@tickbus/price-gateway/feeds/feed';
import { momentumBot } from '@tickbus/sample-bots/momentum';
import { paperTrader } from '@tickbus/sample-bots/paper-trader';
import { riskGuard } from '@tickbus/sample-bots/risk-guard';
import {
  LOCAL_CREDENTIALS,
  type SimulatedBroker,
  startSimulatedBroker,
} from '@tickbus/simulated-broker/broker';
import { openCaptureSource } from '@tickbus/simulated-broker/sources/capture';
import { createGenerator } from '@tickbus/simulated-broker/sources/generator';
import type { Logger, Position } from 'tickbus';
import type { Bot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import type { DemoConfig } from './config.ts';
import type { DemoTransport } from './demo-transport.ts';
import { type Gateways, startGateway, startGatewayPair } from './gateways.ts';
import { type CommandMessage, type PriceMessage, TrafficObserver } from './traffic-observer.ts';

export interface DemoSystem {
  readonly broker: SimulatedBroker;
  readonly gateways: Gateways;
  readonly observer: TrafficObserver;
  readonly bots: readonly Bot[];
  /** The broker's reason for rejecting the second connection; undefined before the attempt. */
  readonly rejection: string | undefined;
  close(): Promise<void>;
}

export interface DemoHooks {
  onPrice(bot: string, message: PriceMessage): void;
  onCommand(message: CommandMessage): void;
}

/** Starts all components. The bots start before the gateways, so that they receive the first price. */
export async function startSystem(
  config: DemoConfig,
  transport: DemoTransport,
  hooks: DemoHooks,
  logger: Logger,
): Promise<DemoSystem> {
  const source = config.capture
    ? await openCaptureSource({ path: config.capture, speed: config.speed })
    : createGenerator({ rate: config.rate, seed: config.seed });
  const broker = await startSimulatedBroker({ source });
  const symbols = source.symbols;

  const bots = [momentumBot, paperTrader, riskGuard].map((define) => {
    const bot = define({ connection: transport.connect(), prices: symbols, logger });
    return bot.onPrice(({ message }) => hooks.onPrice(bot.name, message));
  });
  await Promise.all(bots.map((bot) => bot.start()));
  const observer = new TrafficObserver(transport.connect(), logger, hooks.onCommand);
  await observer.start();
  const startGateways = config.failover ? startGatewayPair : startGateway;
  const gateways = await startGateways({ transport, brokerUrl: broker.url, symbols, logger });
  const secondConnection = new SecondConnection(broker.url, () => observer.feed?.state === 'live');

  return {
    broker,
    gateways,
    observer,
    bots,
    get rejection() {
      return secondConnection.rejection;
    },
    async close() {
      await secondConnection.close();
      await gateways.close();
      await waitForDelivery(bots, await observer.readEnd());
      await Promise.all(bots.map((bot) => bot.stop()));
      await observer.close();
      await broker.close();
    },
  };
}

/** Another program that tries to connect to the broker. */
class SecondConnection {
  rejection: string | undefined;
  readonly #feed: Feed;
  readonly #timer: NodeJS.Timeout;

  /** @param isTaken whether the gateway has the broker connection; an attempt before that could take the connection */
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
        if (state.type !== 'down' || this.rejection !== undefined) return;
        this.rejection = state.reason;
        void this.#feed.close();
      },
    });
  }
}

/** Waits until every bot has handled the last published price, or until the timeout. */
async function waitForDelivery(bots: readonly Bot[], { epoch, seq }: Position): Promise<void> {
  const isBehind = ({ subscriber }: Bot) => {
    const { position, queueDepth = 0 } = subscriber.status(CHANNELS.PRICE_DATA) ?? {};
    return queueDepth > 0 || position?.epoch !== epoch || position.seq < seq;
  };
  const deadline = performance.now() + DELIVERY_TIMEOUT_MS;
  while (bots.some(isBehind) && performance.now() < deadline) await sleep(5);
}

const DELIVERY_TIMEOUT_MS = 2_000;
