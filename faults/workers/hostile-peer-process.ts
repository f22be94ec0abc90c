// A hostile peer in a separate process, with the password of a bot. It attacks until it is stopped.

import { Random } from '@tickbus/test-kit/random';
import { createClient } from 'redis';
import { RedisSubscriber } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { type Observed, PEER_TACTICS, type PeerTactic } from '../hostile/peer-tactics.ts';
import { onRequest, sendToParent, workerSettings } from './parent-channel.ts';

export interface HostilePeerSettings {
  readonly url: string;
  readonly seed: number;
  readonly tactics: readonly PeerTactic[];
  /** The bot whose commands are forged. */
  readonly bot: string;
  /**
   * Number of PRICE_DATA keys that the peer requests through a tickbus subscriber. Then it writes as many entries of
   * invented subscribers directly to Redis. Default 0.
   */
  readonly demandedKeys?: number;
  /** Messages a second, about; default: as fast as possible. */
  readonly perSecond?: number;
}

export interface HostilePeerReport extends Readonly<Record<string, unknown>> {
  /** Accepted messages, by tactic. */
  readonly sent: Readonly<Record<string, number>>;
  readonly megabytes: number;
  /** Number of calls that the server or the Redis client rejected. */
  readonly refused: number;
  /** How the library answered the requested keys: `accepted`, or an error; undefined without `demandedKeys`. */
  readonly demand: string | undefined;
}

/** Messages in flight. */
const BATCH = 32;
const BATCH_BYTES = 2 ** 21;
const MB = 2 ** 20;
/** Lifetime of the entries of invented subscribers: longer than any flood. */
const DEMAND_MS = 600_000;
const DEMAND_CHUNK = 1_000;
const COMMANDS_HEAD = 'tickbus:{TRADE_COMMANDS}:head';

const { url, seed, tactics, bot, demandedKeys = 0, perSecond } = workerSettings<HostilePeerSettings>();
const random = new Random(seed);
const sent: Record<string, number> = {};
let [bytes, refused, isStopped] = [0, 0, false];
let demand: string | undefined;
let observed: Observed = { epoch: 0, seq: 0, last: undefined, nth: 0 };

// The server may cut the link of a flood. Then the peer reconnects.
const client = createClient({ url, socket: { reconnectStrategy: 50 } });
client.on('error', () => {});
await client.connect();
const ear = client.duplicate();
ear.on('error', () => {});
await ear.connect();
await ear.subscribe('TRADE_COMMANDS', (text) => {
  if (text.includes('"operator"')) observed = { ...observed, last: text };
});

onRequest('stop', () => {
  isStopped = true;
});
await sendToParent('ready');
if (demandedKeys > 0) {
  await requestKeys(demandedKeys);
  await writeDemand(demandedKeys);
}
while (!isStopped) {
  await attack().catch(() => refused++);
  if (perSecond !== undefined)
    await new Promise((resolve) => setTimeout(resolve, (BATCH * 1_000) / perSecond));
}
const report = { sent, megabytes: Math.round(bytes / MB), refused, demand };
await sendToParent('stopped', report satisfies Omit<HostilePeerReport, 'type'>);
process.exit();

async function attack(): Promise<void> {
  if (tactics.length === 0) return void (await new Promise((resolve) => setTimeout(resolve, 100)));
  const head = client.sendCommand(['HMGET', COMMANDS_HEAD, 'epoch', 'seq']) as Promise<unknown>;
  const replies: Promise<unknown>[] = [];
  for (let size = 0; replies.length < BATCH && size < BATCH_BYTES; ) {
    const name = random.pick(tactics as [PeerTactic, ...PeerTactic[]]);
    const { channel, payload } = PEER_TACTICS[name](random, { ...observed, nth: replies.length }, bot);
    size += payload.length;
    bytes += payload.length;
    const reply = client.sendCommand(['PUBLISH', channel, payload]).then(
      () => {
        sent[name] = (sent[name] ?? 0) + 1;
      },
      () => refused++,
    );
    replies.push(reply);
  }
  await Promise.all(replies);
  const [epoch, seq] = (await head) as (string | null)[];
  observed = { ...observed, epoch: Number(epoch ?? 0), seq: Number(seq ?? 0) };
}

/** Requests keys as a tickbus subscriber. Stores the outcome in `demand`. */
async function requestKeys(count: number): Promise<void> {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const keys = Array.from({ length: count }, (_, index) => `INVENTED-${seed}-${index}`);
  try {
    const subscriber = new RedisSubscriber({ url, logger: silent });
    subscriber.on('status', (status) => {
      if ('error' in status) demand = `${status.type}: ${String(status.error)}`;
    });
    subscriber.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys });
    await subscriber.startListening();
    demand ??= 'accepted';
  } catch (error) {
    demand = String(error);
  }
}

/** Writes requests of invented subscribers directly to the server, without the limits of the library. */
async function writeDemand(count: number): Promise<void> {
  const endsAt = String(Date.now() + DEMAND_MS);
  for (let from = 0; from < count; from += DEMAND_CHUNK) {
    const entries = Array.from(
      { length: Math.min(DEMAND_CHUNK, count - from) },
      (_, index) => `invented-${from + index}\nFAKE-${seed}-${from + index}`,
    );
    await client
      .sendCommand(['ZADD', 'tickbus:{PRICE_DATA}:demand', ...entries.flatMap((entry) => [endsAt, entry])])
      .catch(() => refused++);
  }
}
