// A participant with the tickbus library of this checkout or of another one.

import type * as channels from 'tickbus';
import type * as constants from 'tickbus/constants';
import type * as leasing from 'tickbus/lease';
import type * as publishing from 'tickbus/publisher';
import type * as subscribing from 'tickbus/subscriber';
import { book } from '../book.ts';
import type { Address, ChannelName, Peer, PeerPayload } from './peer.ts';

interface Variation {
  /** Default `leased`: the publisher holds the lease of its channel, as the gateway does. `shared`: no lease. */
  readonly writer?: 'leased' | 'shared';
  /** Whether the publisher validates payloads. Default true. */
  readonly validates?: boolean;
  /** Whether a second handler on the same subscriber takes its first message and never returns. */
  readonly besideStalled?: boolean;
  /** Whether a plain client is subscribed to a pattern, so that tickbus publishes every message separately. */
  readonly besidePlainClient?: boolean;
  /** Default: one server. */
  readonly server?: 'redis-cluster';
  /** The number of partitions of the channel. Default 1. */
  readonly partitions?: number;
  /** The events that carry the ticks, with a history of each instrument on the server. Default: prices. */
  readonly events?: 'trades' | 'bars';
}

/** TTL of the publisher's lease: the default of the library. */
const LEASE_TTL_MS = 3_000;
/** TTL of the first candidate. A new server grants no lease for this time (hold-off). */
const FIRST_LEASE_TTL_MS = 500;

/** @param library the package: `tickbus`, or `tickbus-baseline` */
export function tickbusPeer(library: string, variation: Variation = {}): Peer {
  const { writer = 'leased', validates = true, besideStalled = false, besidePlainClient = false } = variation;
  const { server: serverName = 'redis' } = variation;
  const scheme = serverName === 'redis' ? 'redis' : 'redis+cluster';
  const addressOf = ({ host, port }: Address) => ({ url: `${scheme}://${host}:${port}` });
  return {
    server: serverName,

    async publisher(address, name) {
      const server = addressOf(address);
      const { RedisPublisher } = (await import(`${library}/publisher`)) as typeof publishing;
      const channel = await channelOf(library, name, variation);
      const lease = writer === 'leased' ? await heldLease(library, server, channel, variation) : undefined;
      const validation = validates ? {} : { validate: false };
      const publisher = new RedisPublisher({ ...server, sender: 'gateway', lease, ...validation });
      await publisher.connect();
      return {
        publish: (payload) => publisher.publish(channel, toEvent(payload, variation)),
        close: async () => {
          await publisher.close();
          await lease?.close();
        },
      };
    },

    async subscriber(address, name, onPayload, keys) {
      const server = addressOf(address);
      const { RedisSubscriber } = (await import(`${library}/subscriber`)) as typeof subscribing;
      const channel = await channelOf(library, name, variation);
      const subscriber = new RedisSubscriber(server);
      subscriber.subscribe(
        channel,
        (message) => {
          if (!message.snapshot) onPayload(message.data as PeerPayload, message.conflated ?? 0);
        },
        keys === undefined ? {} : { keys },
      );
      if (besideStalled) subscriber.subscribe(channel, () => new Promise<void>(() => {}));
      // The publisher begins a new epoch when it sets the number of partitions.
      subscriber.on('gap', (gap) => {
        if (gap.cause !== 'epoch') console.error('tickbus reports a gap:', gap);
      });
      await subscriber.startListening();
      const plain = besidePlainClient
        ? await (await import('./node-redis-client.ts')).connected(address)
        : undefined;
      await plain?.pSubscribe('elsewhere.*', () => {});
      return {
        close: async () => {
          await plain?.close();
          await subscriber.close({ timeoutMs: 0 });
        },
      };
    },
  };
}

/** The payload that carries the tick on the channel of the variation. */
function toEvent(payload: PeerPayload, { events }: Variation): PeerPayload | object {
  if (events === undefined || !('price' in payload)) return payload;
  const { symbol, price, size, timestamp, venue } = payload;
  if (events === 'trades') return { symbol, price, size, timestamp, trade_id: String(timestamp), venue };
  const [start, end] = [Math.trunc(timestamp), Math.trunc(timestamp) + 60_000];
  const figures = {
    open: price,
    high: price,
    low: price,
    close: price,
    volume: size,
    trades: 1,
    vwap: price,
  };
  return { symbol, interval: '1m', start, end, ...figures, complete: true, revision: 0, venue };
}

async function channelOf(
  library: string,
  name: ChannelName,
  { events }: Variation,
): Promise<channels.Channel> {
  const { CHANNELS } = (await import(`${library}/constants`)) as typeof constants;
  const { defineChannel } = (await import(library)) as typeof channels;
  if (events !== undefined) return events === 'trades' ? CHANNELS.TRADES : CHANNELS.BARS;
  if (name === 'price') return CHANNELS.PRICE_DATA;
  return defineChannel('BOOKS', { kind: 'state', key: 'symbol', messages: { book } });
}

/**
 * A new server holds off every lease for the TTL of its first candidate, because an earlier holder may still be
 * active. A first candidate with a short TTL reduces the hold-off from 3 s to half a second.
 */
async function heldLease(
  library: string,
  server: { readonly url: string },
  channel: channels.Channel,
  { partitions }: Variation,
): Promise<leasing.RedisLease> {
  const { RedisLease } = (await import(`${library}/lease`)) as typeof leasing;
  const layout = partitions === undefined ? {} : { partitions };
  const first = new RedisLease({ ...server, channel, ttlMs: FIRST_LEASE_TTL_MS, ...layout });
  await started(
    first,
    ...(partitions === undefined ? (['holding_off', 'held'] as const) : (['held'] as const)),
  );
  await first.close();
  const lease = new RedisLease({ ...server, channel, ttlMs: LEASE_TTL_MS, ...layout });
  await started(lease, 'held');
  return lease;
}

/** Starts the lease. Resolves when it reaches one of the states. */
async function started(lease: leasing.RedisLease, ...states: leasing.LeaseState[]): Promise<void> {
  const isReached = new Promise<void>((resolve) => {
    lease.on('state', ({ state }) => {
      if (states.includes(state)) resolve();
    });
  });
  await lease.start();
  await isReached;
}
