// What a hostile broker sends to the gateway, in addition to prices or instead of them. A seeded generator makes every
// choice.

import { encode } from '@msgpack/msgpack';
import type { Random } from '@tickbus/test-kit/random';
import type { WebSocket } from 'ws';

/** One connection of the gateway. */
export interface Victim {
  readonly socket: WebSocket;
  /** Whether the client asked for msgpack frames. Otherwise frames are JSON. */
  readonly usesMsgpack: boolean;
  /** The credentials that the client sent. */
  readonly secret: string;
}

type Attack = (random: Random, victim: Victim) => void;

const MB = 2 ** 20;
const UNSOLICITED_SYMBOLS = 50_000;
const TRADES_PER_FRAME = 1_000;

/** The broker calls the current attack every millisecond, except while much data waits in the socket's buffer. */
export const BROKER_ATTACKS = {
  /** Prices of up to 50,000 symbols that nobody requested. */
  unsolicited(random, victim) {
    const symbol = () => `FAKE${random.int(0, UNSOLICITED_SYMBOLS - 1)}`;
    sendMessages(victim, trades(random, symbol, TRADES_PER_FRAME));
  },
  /** Trades with odd symbols (control characters, long names) and with invalid prices and sizes. */
  oddPrices(random, victim) {
    const values = [Number.NaN, -1, 1e300, 0, '1', null, {}, []] as const;
    const symbols = ['', 'A\u202eB', 'A\nB', '\u001b[2J', '__proto__', 'constructor', 'x'.repeat(100_000)];
    const odd = trades(random, () => random.pick(symbols as [string]), 20);
    for (const trade of odd) Object.assign(trade, { p: random.pick(values), s: random.pick(values) });
    sendMessages(victim, odd);
  },
  /** Frames of 1 to 30 MB, compressed if the client accepts that. */
  bombs(random, { socket, usesMsgpack }) {
    const text = `["${'0'.repeat(random.int(1, 30) * MB)}"]`;
    socket.send(usesMsgpack ? encode([text]) : text, { compress: true });
  },
  /** Frames that are not messages. Some are deeply nested. */
  garbage(random, { socket }) {
    const bytes = Buffer.from(Array.from({ length: random.int(0, 500) }, () => random.int(0, 255)));
    const texts = ['', '{', 'null', '[null]', '[[]]', '[{"T":1}]', '[{"T":"t"}]', '{"T":"error"}', '[1e999]'];
    const deep = '['.repeat(50_000) + ']'.repeat(50_000);
    const text = random.percent(10) ? deep : random.pick(texts as [string]);
    // 0x91 is an array of one item, so the bytes are 50,000 nested arrays in msgpack.
    const nested = Buffer.alloc(50_000, 0x91);
    socket.send(random.pick([bytes, nested, text]));
  },
  /** Fragments of one message that never ends. */
  fragments(random, { socket }) {
    socket.send('x'.repeat(random.int(1, 64 * 1024)), { fin: false });
  },
  pings(_random, { socket }) {
    for (let left = 1_000; left > 0; left--) socket.ping('x'.repeat(100));
  },
  /** Many frames with one message each. */
  tinyFrames(random, victim) {
    for (let left = 1_000; left > 0; left--)
      sendMessages(
        victim,
        trades(random, () => 'FAKE', 1),
      );
  },
  /** An error that repeats the secret, then the end of the connection. */
  echo(_random, victim) {
    const { socket, secret } = victim;
    sendMessages(victim, [{ T: 'error', code: 500, msg: `cannot verify ${secret} \u001b[2J` }]);
    socket.close(1011, `rejected ${secret}`);
  },
  /** Stops reading. The broker then sends neither prices nor pongs. */
  stall(_random, { socket }) {
    socket.pause();
  },
} satisfies Readonly<Record<string, Attack>>;

export type BrokerAttack = keyof typeof BROKER_ATTACKS;

/** Sends one frame in the encoding of the client. */
export function sendMessages({ socket, usesMsgpack }: Victim, messages: readonly object[]): void {
  socket.send(usesMsgpack ? encode(messages) : JSON.stringify(messages), { compress: false });
}

export function trades(random: Random, symbol: () => string, count: number): object[] {
  return Array.from({ length: count }, () => ({
    T: 't',
    i: random.int(1, 2 ** 30),
    S: symbol(),
    x: 'V',
    p: random.int(10_000, 20_000) / 100,
    s: random.int(1, 100),
    t: new Date(),
    c: ['@'],
    z: 'C',
  }));
}
