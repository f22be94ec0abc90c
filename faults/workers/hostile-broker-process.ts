// A hostile broker in a separate process. It speaks Alpaca's protocol, and attacks the gateway on request.

import { once } from 'node:events';
import { decode } from '@msgpack/msgpack';
import { Random } from '@tickbus/test-kit/random';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  BROKER_ATTACKS,
  type BrokerAttack,
  sendMessages,
  trades,
  type Victim,
} from '../hostile/broker-attacks.ts';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface HostileBrokerSettings {
  readonly port: number;
  readonly seed: number;
  readonly symbol: string;
}

interface ClientMessage {
  readonly action: string;
  readonly secret?: string;
  readonly trades?: readonly string[];
}

const PRICE_EVERY_MS = 40;
/** While more bytes than this wait in the socket's buffer, an attack pauses until the gateway has read them. */
const MAX_BUFFERED = 8 * 2 ** 20;

const { port, seed, symbol } = workerSettings<HostileBrokerSettings>();
const random = new Random(seed);
let attack: BrokerAttack | undefined;
let [attacks, connections] = [0, 0];
const victims = new Set<Victim>();

const server = new WebSocketServer({ host: '127.0.0.1', port, perMessageDeflate: true });
await once(server, 'listening');
server.on('connection', (socket, request) => {
  connections++;
  accept(socket, request.headers['content-type']?.startsWith('application/msgpack') ?? false);
});
onRequest('attack', ({ name }) => {
  attack = name as BrokerAttack | undefined;
  if (attack === undefined) for (const { socket } of victims) socket.resume();
});
onRequest('report', () => sendToParent('report', { attacks, connections }));
setInterval(() => {
  for (const victim of victims) sendPrice(victim);
}, PRICE_EVERY_MS);
setInterval(() => {
  for (const victim of victims) attackOnce(victim);
}, 1);
await sendToParent('ready');

function accept(socket: WebSocket, usesMsgpack: boolean): void {
  let victim: Victim | undefined;
  // Some attacks make the gateway close the connection, which can cause an error here.
  socket.on('error', () => {});
  socket.on('close', () => victim !== undefined && victims.delete(victim));
  socket.on('message', (bytes: Buffer, isBinary) => {
    const message = (isBinary ? decode(bytes) : JSON.parse(String(bytes))) as ClientMessage;
    if (message.action === 'auth') {
      victim = { socket, usesMsgpack, secret: message.secret ?? '' };
      sendMessages(victim, [{ T: 'success', msg: 'authenticated' }]);
    } else if (message.action === 'subscribe' && victim !== undefined) {
      const { trades: symbols } = message;
      sendMessages(victim, [{ T: 'subscription', trades: symbols, quotes: symbols }]);
      victims.add(victim);
    }
  });
  sendMessages({ socket, usesMsgpack, secret: '' }, [{ T: 'success', msg: 'connected' }]);
}

function sendPrice(victim: Victim): void {
  // A data frame must not interrupt a fragmented message.
  if (attack === 'stall' || attack === 'fragments' || victim.socket.readyState !== victim.socket.OPEN) return;
  sendMessages(
    victim,
    trades(random, () => symbol, 1),
  );
}

function attackOnce(victim: Victim): void {
  const { socket } = victim;
  if (attack === undefined || socket.readyState !== socket.OPEN || socket.bufferedAmount > MAX_BUFFERED)
    return;
  attacks++;
  BROKER_ATTACKS[attack](random, victim);
}
