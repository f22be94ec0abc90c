// @nestjs/microservices with its Redis transporter: a client emits events, a microservice handles them.
// Source: https://docs.nestjs.com/microservices/redis and /microservices/basics#event-based

import 'reflect-metadata';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, EventPattern, type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { checked } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Peer } from './peer.ts';

// Connection logs would clutter the results.
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
    // Calls the decorators of the documentation as functions, because this build has no decorators.
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
