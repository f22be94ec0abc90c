// @nestjs/microservices over its Redis transporter: a client that emits events, a microservice with a handler for them.
// Source: https://docs.nestjs.com/microservices/redis and /microservices/basics#event-based

import 'reflect-metadata';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, EventPattern, type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { checked } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Peer } from './peer.ts';

// What it says of its connections is nothing to read between results.
Logger.overrideLogger(false);

export const peer: Peer = {
  server: 'redis',

  async publisher(server, channel) {
    const client = ClientProxyFactory.create({ transport: Transport.REDIS, options: { ...server } });
    await client.connect();
    return {
      publish: (payload) =>
        lastValueFrom(client.emit(channel, envelopeOf(channel, payload)), { defaultValue: undefined }),
      close: async () => client.close(),
    };
  },

  async subscriber(server, channel, onPayload) {
    class Bot {
      onMessage(message: unknown): void {
        onPayload(checked(channel, message), 0);
      }
    }
    class Root {}
    // What the decorators of the documentation do, called by hand: this tree is built without them.
    Controller()(Bot);
    const handler = Object.getOwnPropertyDescriptor(Bot.prototype, 'onMessage') as PropertyDescriptor;
    EventPattern(channel)(Bot.prototype, 'onMessage', handler);
    Module({ controllers: [Bot] })(Root);
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(Root, {
      transport: Transport.REDIS,
      options: { ...server },
      logger: false,
    });
    await app.listen();
    return { close: () => app.close() };
  },
};
