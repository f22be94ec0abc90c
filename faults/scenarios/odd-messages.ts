// Messages that are too large, and payloads that look like the Redis protocol.

import { equal, ok } from 'node:assert/strict';
import { TickbusError } from 'tickbus';
import { ALERTS, FILLS, TICKS } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import { delay, eventually, within } from '../wait.ts';

const HUGE = 40 * 1024 * 1024;

export const hugeMessage: Scenario = {
  name: '12-huge-message',
  expected:
    'A message of 40 MB is rejected before it is sent. Published by a plain client, it causes no other loss.',
  shortened: 'one channel instead of two',
  async run(testbed) {
    const publisher = testbed.publisher();
    const listeners = [await testbed.listen(FILLS)];
    if (!testbed.quick) listeners.push(await testbed.listen(TICKS));
    const text = 'x'.repeat(HUGE);
    for (const { channel } of listeners) {
      const error = await publisher
        .publish(channel, { key: 'A', n: -1, text })
        .catch((reason: unknown) => reason);
      ok(
        error instanceof TickbusError && error.code === 'TICKBUS_INVALID_MESSAGE',
        `the publisher rejects it: ${error}`,
      );
    }
    const invalid: string[] = [];
    for (const { subscriber } of listeners)
      subscriber.on('invalid_message', ({ channel }) => invalid.push(channel));
    let isStopped = false;
    const publishing = (async () => {
      while (!isStopped) {
        for (const { channel } of listeners) await testbed.send(publisher, channel);
        await delay(2);
      }
    })();
    for (const bytes of [1024 * 1024, HUGE]) {
      const envelope = {
        message_type: 'note',
        data: { key: 'A', n: -1, text: text.slice(0, bytes) },
        timestamp: 1,
        sender: 'plain',
      };
      for (const { channel, statuses } of listeners) {
        const before = { invalid: invalid.length, cuts: statuses.count('disconnected') };
        await testbed.command('PUBLISH', channel.name, JSON.stringify(envelope));
        const isDetected = () =>
          invalid.length > before.invalid || statuses.count('disconnected') > before.cuts;
        await eventually(`${bytes} bytes on ${channel} are detected`, isDetected);
      }
    }
    isStopped = true;
    await publishing;
    for (const { channel, recorder } of listeners) {
      const last = await testbed.sendUntilAccepted(publisher, channel);
      await within(
        'The next message is received',
        recorder.until(({ seen }) => seen.at(-1)?.n === last.n),
      );
    }
    await testbed.settle();
    const cuts = listeners.map(({ statuses }) => statuses.count('disconnected'));
    testbed.note(
      `Redis disconnected the subscribers ${cuts.join(' and ')} times; ${invalid.length} reported as invalid`,
    );
  },
};

const CRLF = '\r\n';
const LOOKALIKES = [
  `${CRLF}$5${CRLF}hello${CRLF}`,
  `>3${CRLF}$7${CRLF}message${CRLF}$5${CRLF}FILLS${CRLF}$2${CRLF}{}${CRLF}`,
  `*3${CRLF}$3${CRLF}SET${CRLF}$1${CRLF}a${CRLF}$1${CRLF}b${CRLF}`,
  `-ERR unknown command${CRLF}+OK${CRLF}:1${CRLF}_${CRLF}#t${CRLF},1.5${CRLF}`,
  `%1${CRLF}$1${CRLF}a${CRLF}:1${CRLF}~1${CRLF}!3${CRLF}ERR${CRLF}=7${CRLF}txt:abc${CRLF}`,
  '","seq":1,"epoch":1,"message_type":"note","data":{"n":0}}',
  '\u0000\u0001\u001b[31m\u2028\u2029😀',
] as const;

export const looksLikeProtocol: Scenario = {
  name: '15-looks-like-protocol',
  expected:
    'Payloads that look like the protocol, in small slices and with throwing handlers, are delivered unchanged.',
  async run(testbed) {
    const proxy = await testbed.proxy();
    proxy.inject({ type: 'slice', maxBytes: 7 }, 'to_client');
    const publisher = testbed.publisher();
    const texts = new Map<number, string>();
    const { subscriber } = testbed.subscriber(proxy.port);
    const wrong: string[] = [];
    const channels = [FILLS, ALERTS, TICKS];
    for (const channel of channels) {
      subscriber.subscribe(channel, ({ data }) => {
        if (texts.get(data.n) !== data.text) wrong.push(`${channel} ${data.n}: ${JSON.stringify(data.text)}`);
        throw new Error('A handler that throws at every message.');
      });
    }
    const recorders = channels.map((channel) => testbed.attach(subscriber, channel));
    await subscriber.startListening();
    for (const recorder of recorders) recorder.expectFromHere();
    const count = testbed.scaled(600, 200);
    for (let i = 0; i < count; i++) {
      const channel = channels[i % channels.length] ?? FILLS;
      const text = `${testbed.random.pick(LOOKALIKES)}${testbed.random.pick(LOOKALIKES)}`;
      const key = `${testbed.random.pick(LOOKALIKES)}${i}`;
      await testbed.ledger.publish(channel, key, (n) => {
        texts.set(n, text);
        return publisher.publish(channel, { key, n, text });
      });
    }
    for (const [index, channel] of channels.entries()) {
      const last = testbed.ledger.sent.findLast((sent) => sent.channel === channel.name);
      await within(
        'Every message is received',
        recorders[index]?.until(({ seen }) => seen.at(-1)?.n === last?.n) ?? Promise.reject(),
      );
    }
    equal(wrong.length, 0, `each text is unchanged: ${wrong[0]}`);
    const reports = channels.map((channel) => subscriber.status(channel));
    equal(
      reports.reduce((sum, report) => sum + (report?.invalid ?? 0), 0),
      0,
      'no message is invalid',
    );
    testbed.note(`${reports.reduce((sum, report) => sum + (report?.handlerErrors ?? 0), 0)} handler errors`);
  },
};
