// Messages published between the acknowledgement of a subscription and the read of stored values.

import { ok } from 'node:assert/strict';
import { checkHistory } from '@tickbus/fault-kit/check';
import { Ledger } from '@tickbus/fault-kit/ledger';
import type { Random } from '@tickbus/test-kit/random';
import { type Connection, defineChannel, RedisPublisher, RedisSubscriber } from 'tickbus';
import { type FaultChannel, FILLS, TICKS } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { within } from '../wait.ts';

type SubscribingTransport = Connection['subscribing'];
/** The steps of a subscription at which messages are published. */
type SubscriptionStep = 'before' | 'subscribing' | 'acknowledged' | 'reading' | 'live';

export const raceOfSnapshot: Scenario = {
  name: '16-race-of-the-snapshot',
  expected:
    'In 1,000 interleavings, messages around the snapshot arrive exactly once; a reader that reads too early fails.',
  shortened: '200 interleavings',
  async run(testbed) {
    const rounds = testbed.scaled(1_000, 200);
    const connection = testbed.connection();
    const correct = await interleave(
      testbed,
      rounds,
      connection,
      (inner, at) => new InterleavingTransport(inner, at),
    );
    ok(
      correct.failures === 0,
      `every message arrives exactly once; ${correct.failures} interleavings failed: ${correct.problem}`,
    );
    const mutant = await interleave(
      testbed,
      rounds / 10,
      connection,
      (inner, at) => new ReadsTooEarly(inner, at),
    );
    ok(mutant.failures > 0, 'a reader that reads before the acknowledgement fails the check');
    testbed.note(
      `${rounds} interleavings, ${correct.messages} messages, 0 failures; ` +
        `reading too early fails ${mutant.failures} of ${rounds / 10}`,
    );
  },
};

type Wrap = (
  inner: SubscribingTransport,
  at: (step: SubscriptionStep) => Promise<void>,
) => SubscribingTransport;

async function interleave(testbed: Testbed, rounds: number, connection: Connection, wrap: Wrap) {
  const publisher = new RedisPublisher({ connection, sender: 'race' });
  let failures = 0;
  let messages = 0;
  let problem = '';
  for (let round = 0; round < rounds; round++) {
    const { ledger, gaps } = await oneRound(testbed, publisher, connection, wrap);
    messages += ledger.sent.length;
    const { figures, problems } = checkHistory(ledger.sent, ledger.histories);
    const damage = figures.silent_lost + figures.duplicates + figures.out_of_order + figures.made_up + gaps;
    if (damage === 0) continue;
    failures++;
    problem ||= problems[0] ?? `${gaps} gaps were reported`;
  }
  return { failures, messages, problem };
}

/** Subscribes to a new channel, while messages are published at random steps of the subscription. */
async function oneRound(testbed: Testbed, publisher: RedisPublisher, connection: Connection, wrap: Wrap) {
  const { random } = testbed;
  const kind = random.pick([TICKS, FILLS]);
  const channel = freshChannel(kind, random);
  const ledger = new Ledger();
  /** Steps and publishes, some of which end after the subscription is live. */
  const work: Promise<unknown>[] = [];
  /** Publishes up to two messages. Awaits some of them, so that they precede the next step; leaves others in flight. */
  const publishAtStep = async (step: SubscriptionStep) => {
    for (let left = random.int(0, 2); left > 0; left--) {
      // Unique keys, so that the last values include every message.
      const key = `${step}-${left}`;
      const sent = ledger.publish(channel, key, (n) => publisher.publish(channel, { key, n }));
      work.push(sent);
      if (random.percent(50)) await sent;
    }
  };
  const publishSome = (step: SubscriptionStep) => {
    const published = publishAtStep(step);
    work.push(published);
    return published;
  };
  await publishSome('before');
  await Promise.all(work);
  const recorder = ledger.recordHandler('bot', channel);
  // On a state channel, the snapshot includes every earlier message. On an event channel, only later ones are expected.
  if (channel.kind === 'state') recorder.history.from = 0;
  const transport = wrap(connection.subscribing, async (step) => {
    if (step === 'acknowledged') recorder.expectFromHere();
    await publishSome(step);
  });
  const subscriber = new RedisSubscriber({
    connection: { publishing: transport, subscribing: transport, close: async () => {} },
    logger: testbed.logger,
  });
  let gaps = 0;
  subscriber.on('gap', (gap) => {
    gaps++;
    recorder.onGap(gap);
  });
  const live = new Promise<void>((resolve) =>
    subscriber.on('status', ({ type }) => type === 'live' && resolve()),
  );
  subscriber.subscribe(channel, recorder.onMessage);
  await subscriber.startListening();
  await within('live', live);
  await publishSome('live');
  // The first message of an unused channel makes the subscriber read again, at which step more are published.
  for (let ended = 0; ended < work.length || subscriber.status(channel)?.mode !== 'live'; ) {
    ended = work.length;
    await Promise.all(work);
    // A barrier: every published message arrives before this reply.
    await connection.subscribing.read(channel);
  }
  await subscriber.close();
  await testbed.command('DEL', ...['head', 'last', 'history'].map((key) => `tickbus:{${channel}}:${key}`));
  return { ledger, gaps };
}

let count = 0;

function freshChannel(like: FaultChannel, random: Random): FaultChannel {
  const name = `RACE-${++count}-${random.int(0, 9)}`;
  const { messages } = like;
  return like.kind === 'state'
    ? defineChannel(name, { kind: 'state', key: 'key', messages })
    : defineChannel(name, { kind: 'event', key: 'key', history: 100, messages });
}

/** Forwards every call, and lets the scenario publish at each step. */
class InterleavingTransport implements SubscribingTransport {
  protected readonly inner: SubscribingTransport;
  protected readonly at: (step: SubscriptionStep) => Promise<void>;
  readonly connect: SubscribingTransport['connect'];
  readonly publish: SubscribingTransport['publish'];
  readonly adopt: SubscribingTransport['adopt'];
  readonly areListenersNamed: SubscribingTransport['areListenersNamed'];
  readonly readHistory: SubscribingTransport['readHistory'];
  readonly head: SubscribingTransport['head'];
  readonly lease: SubscribingTransport['lease'];
  readonly demand: SubscribingTransport['demand'];
  readonly complain: SubscribingTransport['complain'];
  readonly setPartitions: SubscribingTransport['setPartitions'];
  readonly onStatus: SubscribingTransport['onStatus'];
  readonly close: SubscribingTransport['close'];

  constructor(inner: SubscribingTransport, at: (step: SubscriptionStep) => Promise<void>) {
    this.inner = inner;
    this.at = at;
    this.connect = () => inner.connect();
    this.publish = (...args) => inner.publish(...args);
    this.adopt = (...args) => inner.adopt(...args);
    this.areListenersNamed = (...args) => inner.areListenersNamed(...args);
    this.readHistory = (...args) => inner.readHistory(...args);
    this.head = (...args) => inner.head(...args);
    this.lease = (...args) => inner.lease(...args);
    this.demand = (...args) => inner.demand(...args);
    this.complain = (...args) => inner.complain(...args);
    this.setPartitions = (...args) => inner.setPartitions(...args);
    this.onStatus = (...args) => inner.onStatus(...args);
    this.close = () => inner.close();
  }

  async subscribe(
    ...args: Parameters<SubscribingTransport['subscribe']>
  ): ReturnType<SubscribingTransport['subscribe']> {
    const subscribing = this.inner.subscribe(...args);
    await this.at('subscribing');
    const unsubscribe = await subscribing;
    await this.at('acknowledged');
    return unsubscribe;
  }

  async read(...args: Parameters<SubscribingTransport['read']>): ReturnType<SubscribingTransport['read']> {
    const reading = this.inner.read(...args);
    await this.at('reading');
    return reading;
  }
}

/** A deliberate bug (the mutant), which the check must find: it reads the channel before it sends the subscription. */
class ReadsTooEarly extends InterleavingTransport {
  #early: ReturnType<SubscribingTransport['read']> | undefined;

  override async subscribe(
    ...args: Parameters<SubscribingTransport['subscribe']>
  ): ReturnType<SubscribingTransport['subscribe']> {
    this.#early = this.inner.read(args[0]);
    await this.#early;
    await this.at('reading');
    return super.subscribe(...args);
  }

  override read(...args: Parameters<SubscribingTransport['read']>): ReturnType<SubscribingTransport['read']> {
    const early = this.#early;
    this.#early = undefined;
    return early ?? super.read(...args);
  }
}
