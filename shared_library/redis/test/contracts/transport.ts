// The contract of the Transport port: every adapter passes the same tests.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChannelSpec } from '../../core/channel.ts';
import { decodeEnvelope, type Envelope, encodeEnvelope } from '../../core/envelope.ts';
import type { FenceToken, LeaseOperations, Outgoing, Transport } from '../../core/ports.ts';
import { ORIGIN } from '../../core/sequence.ts';
import type { LinkStatus } from '../../core/status.ts';

/** One adapter under test: links to one server, and what only the outside can do to that server. */
export interface TransportFixture {
  /** A new link; the fixture closes it. */
  link(): Transport;
  /** Publishes bytes as a stranger does, past the port. */
  publishRaw(channel: string, frame: Uint8Array): Promise<void>;
  /** The server forgets everything, as a restart without persistence does; links stay up. */
  flush(): Promise<void>;
  /** Cuts every link and resolves; what can come back does so by itself, or by `restore`. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** Channels of each kind, with names of their own for each test. */
let count = 0;
const spec = (kind: ChannelSpec['kind'], history = 0): ChannelSpec => ({
  name: `CONTRACT_${kind}_${++count}`,
  kind,
  history,
});

export function describeTransport(name: string, setUp: () => Promise<TransportFixture>): void {
  describe(`transport contract: ${name}`, () => {
    let fixture: TransportFixture;
    let publishing: Transport;
    let subscribing: Transport;

    beforeEach(async () => {
      fixture = await setUp();
      publishing = fixture.link();
      subscribing = fixture.link();
      await Promise.all([publishing.connect(), subscribing.connect()]);
    });
    afterEach(() => fixture.close());

    describe('publish', () => {
      it('numbers a batch without holes and tells the first position and the receivers', async () => {
        const channel = spec('event');
        const { frames } = await listen(subscribing, channel);
        const first = await publishing.publish(channel, batch(3));
        const second = await publishing.publish(channel, batch(2));
        expect(first.receivers).toBe(1);
        expect(first.first?.seq).toBe(1);
        expect(second.first).toEqual({ epoch: first.first?.epoch, seq: 4 });
        await frames.reach(5);
        expect(frames.all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
        expect(new Set(frames.all.map(({ epoch }) => epoch))).toEqual(new Set([first.first?.epoch]));
      });

      it('numbers batches that begin and end anywhere, past 9, 99 and 999', async () => {
        const channel = spec('event');
        const { frames } = await listen(subscribing, channel);
        const sizes = [7, 4, 1, 88, 101, 9, 128, 128, 128, 128, 128, 128, 30];
        for (const size of sizes) await publishing.publish(channel, batch(size));
        const count = sizes.reduce((sum, size) => sum + size);
        await frames.reach(count);
        expect(frames.all.map(({ seq }) => seq)).toEqual(
          Array.from({ length: count }, (_, index) => index + 1),
        );
      });

      it('adds epoch, number and server time, and leaves the rest of the message as it was', async () => {
        const channel = spec('event');
        const { frames } = await listen(subscribing, channel);
        const before = Date.now();
        await publishing.publish(channel, [outgoing({ text: 'ünï "quoted" \\ \n 漢字 💹' })]);
        await frames.reach(1);
        const [message] = frames.all;
        expect(message).toMatchObject({
          message_type: 'test',
          sender: 'contract',
          data: { text: 'ünï "quoted" \\ \n 漢字 💹' },
        });
        expect(message?.at).toBeGreaterThanOrEqual(before - 60_000);
        expect(message?.epoch).toBeGreaterThan(1_600_000_000_000);
      });

      it('keeps an epoch while the server remembers, and begins a larger one when it does not', async () => {
        const channel = spec('state');
        const before = await publishing.publish(channel, batch(1));
        const same = await publishing.publish(channel, batch(1));
        await fixture.flush();
        const after = await publishing.publish(channel, batch(1));
        expect(same.first?.epoch).toBe(before.first?.epoch);
        expect(after.first?.seq).toBe(1);
        expect(after.first?.epoch).toBeGreaterThan(before.first?.epoch ?? 0);
      });

      it('counts two publishers in one order', async () => {
        const channel = spec('event');
        const other = fixture.link();
        await other.connect();
        const { frames } = await listen(subscribing, channel);
        await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (index % 2 ? other : publishing).publish(channel, batch(5)),
          ),
        );
        await frames.reach(100);
        expect(frames.all.map(({ seq }) => seq)).toEqual(
          Array.from({ length: 100 }, (_, index) => index + 1),
        );
      });

      it.each(['state', 'event', 'plain'] as const)(
        'sends a batch as one frame where a %s channel is framed so, numbered and kept one by one',
        async (kind) => {
          const channel: ChannelSpec = { ...spec(kind, kind === 'event' ? 10 : 0), framing: 'batch' };
          const frames = new Frames((frame) => JSON.parse(new TextDecoder().decode(frame)) as Envelope[]);
          await subscribing.subscribe(channel, (frame) => frames.add(frame));
          const receipts = [
            await publishing.publish(channel, batch(3)),
            await publishing.publish(channel, batch(1)),
          ];
          await frames.reach(2);
          expect(frames.all.map((messages) => messages.map(({ data }) => data.index))).toEqual([
            [0, 1, 2],
            [0],
          ]);
          expect(receipts.map(({ receivers }) => receivers)).toEqual([1, 1]);
          if (kind === 'plain') return;
          expect(frames.all.flat().map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
          expect(receipts.map(({ first }) => first?.seq)).toEqual([1, 4]);
          const { position, entries } = await publishing.read(channel);
          const kept = entries.map(decodeEnvelope).sort((one, other) => (one.seq ?? 0) - (other.seq ?? 0));
          expect(position.seq).toBe(4);
          // The last one has the key of the first, whose place it takes on a channel that keeps last values.
          expect(kept.map(({ seq }) => seq)).toEqual(kind === 'state' ? [2, 3, 4] : [1, 2, 3, 4]);
        },
      );

      it('does not number a plain channel and keeps nothing of it', async () => {
        const channel = spec('plain');
        const { frames } = await listen(subscribing, channel);
        const receipt = await publishing.publish(channel, batch(2));
        await frames.reach(2);
        expect(receipt).toEqual({ first: undefined, receivers: 1 });
        expect(frames.all.every((message) => message.seq === undefined && message.epoch === undefined)).toBe(
          true,
        );
        expect(await publishing.read(channel)).toMatchObject({ position: ORIGIN, entries: [] });
      });

      it('publishes an id once, and says of a repeated one what became of it', async () => {
        const channel = spec('command');
        const { frames } = await listen(subscribing, channel);
        const once = (id: string): Outgoing => ({ ...outgoing({ id }), once: { id, rememberMs: 60_000 } });
        const first = await publishing.publish(channel, [once('a'), once('b')]);
        expect(first).toMatchObject({ first: { seq: 1 }, receivers: 1 });
        expect(first.repeated).toBeUndefined();
        const epoch = first.first?.epoch ?? 0;
        const again = await publishing.publish(channel, [once('b'), once('c'), once('c'), once('d')]);
        expect(again.first).toEqual({ epoch, seq: 3 });
        expect(again.receivers).toBe(1);
        expect([...(again.repeated ?? [])]).toEqual([
          [0, { position: { epoch, seq: 2 }, receivers: 1 }],
          [2, { position: { epoch, seq: 3 }, receivers: 1 }],
        ]);
        const all = await publishing.publish(channel, [once('a')]);
        expect([...(all.repeated ?? [])]).toEqual([[0, { position: { epoch, seq: 1 }, receivers: 1 }]]);
        await publishing.publish(channel, [once('e')]);
        await frames.reach(5);
        expect(frames.all.map(({ data, seq }) => [data.id, seq])).toEqual([
          ['a', 1],
          ['b', 2],
          ['c', 3],
          ['d', 4],
          ['e', 5],
        ]);
      });

      it('remembers an id for the time that was asked for', async () => {
        const channel = spec('command');
        const message = { ...outgoing({}), once: { id: 'short', rememberMs: 1 } };
        const { first } = await publishing.publish(channel, [message]);
        expect(first?.seq).toBe(1);
        await sleep(20);
        const again = await publishing.publish(channel, [message]);
        expect(again.repeated).toBeUndefined();
        expect(again.first?.seq).toBe(2);
      });

      it('takes a batch of 256 messages and a message of 250 KiB', async () => {
        const channel = spec('event');
        const { frames } = await listen(subscribing, channel);
        await publishing.publish(channel, batch(256));
        await publishing.publish(channel, [outgoing({ text: 'x'.repeat(250 * 1024) })]);
        await frames.reach(257);
        expect(String(frames.all[256]?.data.text).length).toBe(250 * 1024);
      });
    });

    describe('read', () => {
      it('finds nothing where nothing was published', async () => {
        for (const kind of ['state', 'event', 'command'] as const) {
          expect(await subscribing.read(spec(kind, kind === 'event' ? 10 : 0))).toMatchObject({
            position: ORIGIN,
            entries: [],
          });
        }
      });

      it('tells the server time, which goes on from one message and one read to the next', async () => {
        const channel = spec('event');
        const { frames } = await listen(subscribing, channel);
        const { at: before } = await subscribing.read(channel);
        await publishing.publish(channel, batch(1));
        await frames.reach(1);
        const { at: after } = await subscribing.read(channel);
        expect(frames.all[0]?.at).toBeGreaterThanOrEqual(Math.floor(before));
        expect(after).toBeGreaterThanOrEqual(frames.all[0]?.at ?? Number.POSITIVE_INFINITY);
      });

      it('gives the last value of each key of a state channel, in the order of publication', async () => {
        const channel = spec('state');
        const receipt = await publishing.publish(channel, [
          outgoing({ n: 1 }, 'a'),
          outgoing({ n: 2 }, 'b'),
          outgoing({ n: 3 }, 'a'),
          outgoing({ n: 4 }, 'c'),
        ]);
        const { position, entries } = await subscribing.read(channel);
        expect(position).toEqual({ epoch: receipt.first?.epoch, seq: 4 });
        expect(
          entries
            .map(decodeEnvelope)
            .map(({ data, seq }) => [data.n, seq])
            .sort(byNumber),
        ).toEqual([
          [2, 2],
          [3, 3],
          [4, 4],
        ]);
      });

      it('gives only what came after a position of the same epoch, and everything after one of another', async () => {
        for (const channel of [spec('state'), spec('event', 10)]) {
          const { first } = await publishing.publish(channel, [
            outgoing({ n: 1 }, 'a'),
            outgoing({ n: 2 }, 'b'),
            outgoing({ n: 3 }, 'c'),
          ]);
          const epoch = first?.epoch ?? 0;
          const numbers = async (since: { epoch: number; seq: number }) =>
            (await subscribing.read(channel, since)).entries
              .map((frame) => decodeEnvelope(frame).seq ?? 0)
              .sort((a, b) => a - b);
          expect(await numbers({ epoch, seq: 1 })).toEqual([2, 3]);
          expect(await numbers({ epoch, seq: 3 })).toEqual([]);
          expect(await numbers({ epoch: epoch - 1, seq: 2 })).toEqual([1, 2, 3]);
        }
      });

      it('keeps as much history as the channel asks for, and none of a command', async () => {
        const event = spec('event', 3);
        await publishing.publish(event, batch(5));
        const { position, entries } = await subscribing.read(event);
        expect(position.seq).toBe(5);
        expect(entries.map((frame) => decodeEnvelope(frame).seq)).toEqual([3, 4, 5]);

        const command = spec('command');
        await publishing.publish(command, batch(2));
        expect((await subscribing.read(command)).entries).toEqual([]);
        expect((await subscribing.read(command)).position.seq).toBe(2);
      });

      it('is a barrier: what was published before it has arrived before its reply', async () => {
        const channel = spec('event');
        const { frames } = await listen(subscribing, channel);
        for (let round = 1; round <= 50; round++) {
          await publishing.publish(channel, batch(7));
          const { position } = await subscribing.read(channel, ORIGIN);
          expect(frames.all.at(-1)?.seq).toBe(position.seq);
          expect(position.seq).toBe(round * 7);
        }
      });
    });

    describe('subscribe', () => {
      it('delivers from the moment it resolves, bytes as a stranger published them', async () => {
        const channel = spec('plain');
        const seen: Uint8Array[] = [];
        let arrived = () => {};
        const done = new Promise<void>((resolve) => {
          arrived = resolve;
        });
        await subscribing.subscribe(channel, (frame) => {
          seen.push(Uint8Array.from(frame));
          arrived();
        });
        await fixture.publishRaw(channel.name, new Uint8Array([0, 255, 13, 10, 43, 36]));
        await done;
        expect(seen).toEqual([new Uint8Array([0, 255, 13, 10, 43, 36])]);
      });

      it('hears nothing after it was ended, and can be begun again', async () => {
        const channel = spec('event');
        const first = await listen(subscribing, channel);
        await publishing.publish(channel, batch(1));
        await first.frames.reach(1);
        first.unsubscribe();
        const second = await listen(subscribing, channel);
        await publishing.publish(channel, batch(1));
        await second.frames.reach(1);
        expect(first.frames.all.length).toBe(1);
        expect(second.frames.all.map(({ seq }) => seq)).toEqual([2]);
      });

      it('contains a listener that throws', async () => {
        const channel = spec('event');
        let calls = 0;
        await subscribing.subscribe(channel, () => {
          calls++;
          throw new Error('thrown by a listener');
        });
        await publishing.publish(channel, batch(100));
        await subscribing.read(channel);
        expect(calls).toBe(100);
      });

      it('outlives a link that was cut, and tells of it', async () => {
        const channel = spec('event', 10);
        const { frames } = await listen(subscribing, channel);
        const statuses: LinkStatus[] = [];
        const back = new Promise<void>((resolve) => {
          subscribing.onStatus((status) => {
            statuses.push(status);
            if (status.type === 'connected') resolve();
          });
        });
        const publisherBack = connectedAgain(publishing);
        await fixture.cut();
        await fixture.restore();
        await Promise.all([back, publisherBack]);
        await publishing.publish(channel, batch(1));
        await frames.reach(1);
        expect(statuses.map(({ type }) => type).filter((type) => type !== 'reconnecting')).toEqual([
          'disconnected',
          'connected',
        ]);
        expect(statuses.at(-1)).toMatchObject({ type: 'connected', generation: 2 });
      });
    });

    describe('lease', () => {
      it('is held by one, and its token grows', async () => {
        const channel = spec('state');
        const mine = publishing.lease(channel);
        const theirs = subscribing.lease(channel);
        const token = await take(mine);
        expect(token).toBeGreaterThan(0);
        expect(await theirs.acquire(60_000)).toEqual({ state: 'taken', leftMs: expect.any(Number) });
        expect(await mine.renew(token, 60_000)).toBe(true);
        expect(await theirs.renew(token + 1, 60_000)).toBe(false);
        expect(await theirs.release(token + 1)).toBe(false);
        expect(await mine.release(token)).toBe(true);
        expect(await mine.release(token)).toBe(false);
        const next = await theirs.acquire(60_000);
        expect(next.state === 'held' && next.token).toBeGreaterThan(token);
        expect(await mine.renew(token, 60_000)).toBe(false);
      });

      it('ends by itself when it is not renewed, and tells how long that takes', async () => {
        const channel = spec('state');
        const mine = publishing.lease(channel);
        const theirs = subscribing.lease(channel);
        await mine.release(await take(mine));
        const first = await mine.acquire(50);
        const told = await theirs.acquire(50);
        expect(told.state === 'taken' && told.leftMs).toBeLessThanOrEqual(50);
        const next = await take(theirs);
        expect(next).toBeGreaterThan(first.state === 'held' ? first.token : Number.POSITIVE_INFINITY);
        await expect(publishing.publish(channel, batch(1))).rejects.toMatchObject({ code: 'TICKBUS_FENCED' });
      });

      it('lasts for its TTL from each renewal on', async () => {
        const channel = spec('state');
        const mine = publishing.lease(channel);
        const token = await take(mine);
        await mine.renew(token, 10_000);
        const told = await subscribing.lease(channel).acquire(60_000);
        expect(told.state === 'taken' && told.leftMs).toBeLessThanOrEqual(10_000);
        expect(told.state === 'taken' && told.leftMs).toBeGreaterThan(0);
      });

      it('goes to nobody for one TTL where the server knows of none, and everybody waits for the same end', async () => {
        const channel = spec('state');
        const first = await publishing.lease(channel).acquire(60_000);
        const second = await subscribing.lease(channel).acquire(60_000);
        expect(first).toEqual({ state: 'holding_off', leftMs: 60_000 });
        expect(second.state === 'holding_off' && second.leftMs).toBeLessThanOrEqual(60_000);
        for (const fence of [undefined, 0, 1])
          await expect(publishing.publish(channel, batch(1), fence)).rejects.toMatchObject({
            code: 'TICKBUS_FENCED',
          });
      });

      it('goes to nobody for one TTL after the server lost its memory, and the old holder is not renewed', async () => {
        const channel = spec('state');
        const mine = publishing.lease(channel);
        const token = await take(mine);
        await fixture.flush();
        const theirs = subscribing.lease(channel);
        expect(await theirs.acquire(20)).toEqual({ state: 'holding_off', leftMs: 20 });
        expect(await mine.renew(token, 60_000)).toBe(false);
        expect(await mine.release(token)).toBe(false);
        await expect(publishing.publish(channel, batch(1), token)).rejects.toMatchObject({
          code: 'TICKBUS_FENCED',
        });
        expect(await take(theirs)).toBeGreaterThan(token);
      });

      it('fences: all of a batch is refused without the token, and nothing of it is seen or counted', async () => {
        const channel = spec('state');
        const { frames } = await listen(subscribing, channel);
        const token = await take(publishing.lease(channel));
        for (const wrong of [undefined, token - 1, token + 1]) {
          await expect(publishing.publish(channel, batch(3), wrong)).rejects.toMatchObject({
            code: 'TICKBUS_FENCED',
          });
        }
        const { first } = await publishing.publish(channel, batch(2), token);
        await frames.reach(2);
        expect(first?.seq).toBe(1);
        expect(frames.all.map(({ seq }) => seq)).toEqual([1, 2]);
      });

      it('refuses a holder whose lease has ended, even when nobody has taken it', async () => {
        const channel = spec('state');
        const lease = publishing.lease(channel);
        const token = await take(lease);
        await lease.release(token);
        await expect(publishing.publish(channel, batch(1), token)).rejects.toMatchObject({
          code: 'TICKBUS_FENCED',
        });
        await publishing.publish(channel, batch(1));
      });

      it('is renewed after its end where nobody was given it since, and not after a release', async () => {
        const channel = spec('state');
        const mine = publishing.lease(channel);
        const token = await take(mine);
        await mine.renew(token, 20);
        await refused(() => publishing.publish(channel, batch(1), token));
        expect(await mine.renew(token, 60_000)).toBe(true);
        expect(await subscribing.lease(channel).acquire(60_000)).toMatchObject({ state: 'taken' });
        await publishing.publish(channel, batch(1), token);
        await mine.release(token);
        expect(await mine.renew(token, 60_000)).toBe(false);
      });

      it('begins a new epoch with every lease, and keeps the last values', async () => {
        const channel = spec('state');
        const before = await publishing.publish(channel, [outgoing({ n: 1 }, 'a')]);
        const token = await take(publishing.lease(channel));
        const after = await publishing.publish(channel, [outgoing({ n: 2 }, 'b')], token);
        expect(after.first?.epoch).toBeGreaterThan(before.first?.epoch ?? 0);
        expect(after.first?.seq).toBe(1);
        const { entries } = await subscribing.read(channel);
        expect(entries.map((frame) => decodeEnvelope(frame).data.n).sort()).toEqual([1, 2]);
      });
    });

    describe('demand', () => {
      it('counts by how many each key is wanted, until they want it no more', async () => {
        const channel = spec('state');
        const [mine, theirs] = [publishing.demand(channel), subscribing.demand(channel)];
        expect(await mine.wanted()).toEqual(new Map());
        await mine.declare('me', ['a', 'b c', 'ü\n💹', ''], 60_000);
        await theirs.declare('them', ['a'], 60_000);
        const counted = new Map([
          ['a', 2],
          ['b c', 1],
          ['ü\n💹', 1],
          ['', 1],
        ]);
        expect(new Map(await theirs.wanted())).toEqual(counted);
        await mine.withdraw('me', ['a', 'b c', 'never wanted']);
        await theirs.withdraw('them', ['']);
        expect(new Map(await mine.wanted())).toEqual(
          new Map([
            ['a', 1],
            ['ü\n💹', 1],
            ['', 1],
          ]),
        );
      });

      it('forgets what is not declared again in time, and only that', async () => {
        const channel = spec('state');
        const demand = publishing.demand(channel);
        await demand.declare('dead', ['a', 'b'], 30);
        await demand.declare('alive', ['b', 'c'], 30);
        await demand.declare('alive', ['b', 'c'], 60_000);
        let wanted = await demand.wanted();
        while (wanted.has('a')) {
          await sleep(5);
          wanted = await demand.wanted();
        }
        expect(new Map(wanted)).toEqual(
          new Map([
            ['b', 1],
            ['c', 1],
          ]),
        );
      });

      it('takes 20,000 keys at once', async () => {
        const demand = publishing.demand(spec('state'));
        const keys = Array.from({ length: 20_000 }, (_, index) => `key-${index}`);
        await demand.declare('greedy', keys, 60_000);
        expect((await demand.wanted()).size).toBe(20_000);
        await demand.withdraw('greedy', keys);
        expect((await demand.wanted()).size).toBe(0);
      });

      it('is forgotten by a server that forgets everything', async () => {
        const demand = publishing.demand(spec('state'));
        await demand.declare('me', ['a'], 60_000);
        await fixture.flush();
        expect(await demand.wanted()).toEqual(new Map());
      });
    });

    describe('the link', () => {
      it('refuses at once what it is given while it is down, and sends none of it later', async () => {
        const channel = spec('event');
        const down = new Promise<void>((resolve) => {
          publishing.onStatus((status) => status.type === 'disconnected' && resolve());
        });
        const back = connectedAgain(publishing);
        await fixture.cut();
        await down;
        const refused = publishing.publish(channel, batch(1));
        await expect(refused).rejects.toMatchObject({ code: 'TICKBUS_NOT_CONNECTED', retryable: true });
        await fixture.restore();
        await back;
        expect((await publishing.publish(channel, batch(1))).first?.seq).toBe(1);
      });

      it('contains a status listener that throws', async () => {
        const link = fixture.link();
        const heard: string[] = [];
        link.onStatus(() => {
          throw new Error('thrown by a listener');
        });
        link.onStatus(({ type }) => heard.push(type));
        await link.connect();
        expect(heard).toContain('connected');
      });

      it('can be asked to connect again and again, and is told once', async () => {
        const link = fixture.link();
        const heard: string[] = [];
        link.onStatus(({ type }) => heard.push(type));
        await Promise.all([link.connect(), link.connect()]);
        await link.connect();
        expect(heard.filter((type) => type === 'connected')).toEqual(['connected']);
      });

      it('is over when it was closed', async () => {
        const channel = spec('event');
        const link = fixture.link();
        await link.connect();
        await link.close();
        await link.close();
        for (const call of [
          link.connect(),
          link.publish(channel, batch(1)),
          link.read(channel),
          link.subscribe(channel, () => {}),
        ]) {
          await expect(call).rejects.toMatchObject({ code: 'TICKBUS_CLOSED' });
        }
      });
    });
  });
}

function outgoing(data: Record<string, unknown>, key = 'key'): Outgoing {
  return { json: encodeEnvelope({ message_type: 'test', data, timestamp: 1, sender: 'contract' }), key };
}

function batch(size: number): Outgoing[] {
  return Array.from({ length: size }, (_, index) => outgoing({ index }, `key-${index}`));
}

/** Waits until the server lets nobody do it under this token any more. */
async function refused(publish: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const error = await publish().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error !== undefined) return expect(error).toMatchObject({ code: 'TICKBUS_FENCED' });
    await sleep(5);
  }
}

/** Asks until it is given, and then holds it for a minute. A server that knows nothing of it makes us wait first. */
async function take(lease: LeaseOperations): Promise<FenceToken> {
  for (let attempt = await lease.acquire(20); ; attempt = await lease.acquire(20)) {
    if (attempt.state === 'held') {
      // On a machine that is busy the short time can be over by now: then it is tried again.
      if (await lease.renew(attempt.token, 60_000)) return attempt.token;
      continue;
    }
    await sleep(attempt.leftMs + 1);
  }
}

/** Everything a subscription hears, and a way to wait until it is so many. */
class Frames<Read = Envelope> {
  readonly all: Read[] = [];
  readonly #read: (frame: Uint8Array) => Read;
  #waiting: { count: number; resolve: () => void }[] = [];

  constructor(read: (frame: Uint8Array) => Read) {
    this.#read = read;
  }

  add(frame: Uint8Array): void {
    this.all.push(this.#read(frame));
    for (const { count, resolve } of this.#waiting) if (this.all.length >= count) resolve();
  }

  reach(count: number): Promise<void> {
    if (this.all.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}

async function listen(transport: Transport, channel: ChannelSpec) {
  const frames = new Frames(decodeEnvelope);
  const unsubscribe = await transport.subscribe(channel, (frame) => frames.add(frame));
  return { frames, unsubscribe };
}

function connectedAgain(transport: Transport): Promise<void> {
  return new Promise((resolve) => {
    transport.onStatus((status) => status.type === 'connected' && resolve());
  });
}

function byNumber(a: unknown[], b: unknown[]): number {
  return Number(a[0]) - Number(b[0]);
}
