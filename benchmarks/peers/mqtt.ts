// MQTT.js with mosquitto, QoS 0 (at most once, like Redis pub/sub). Source: https://github.com/mqttjs/MQTT.js#readme

import { connectAsync } from 'mqtt';
import { readText } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Peer } from './peer.ts';

export const peer: Peer = {
  server: 'mosquitto',

  async publisher({ host, port }, channel) {
    const client = await connectAsync(`mqtt://${host}:${port}`);
    return {
      publish: (payload) => client.publishAsync(channel, JSON.stringify(envelopeOf(channel, payload))),
      close: () => client.endAsync(),
    };
  },

  async subscriber({ host, port }, channel, onPayload) {
    const client = await connectAsync(`mqtt://${host}:${port}`);
    client.on('message', (_topic, bytes) => onPayload(readText(channel, bytes.toString()), 0));
    await client.subscribeAsync(channel);
    return { close: () => client.endAsync() };
  },
};
