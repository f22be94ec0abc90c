// Messages lost on the wire, and histories that are too short.

import { deepEqual, equal } from 'node:assert/strict';
import { ALERTS, FILLS, TICKS, TRIMMED } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import { eventually, within } from '../wait.ts';

export const lastLost: Scenario = {
  name: '17-last-message-lost',
  expected: 'The loss of the last message on the wire is detected within 2 s.',
  waits: 'short',
  async run(testbed) {
    const publisher = testbed.publisher();
    const proxy = await testbed.proxy();
    for (const channel of [FILLS, TICKS, ALERTS]) {
      const listener = await testbed.listen(channel, { port: proxy.port });
      await testbed.send(publisher, channel);
      await testbed.settle([listener]);
      const marker = `last of ${channel}`;
      const dropped = proxy.dropPush(marker);
      const sent = await testbed.send(publisher, channel, { key: 'lost', text: marker });
      const sentAt = performance.now();
      const detected = listener.recorder.until(({ gaps }) => gaps.length > 0).then(() => performance.now());
      const took = await testbed.bounded(`The loss on ${channel} is detected`, 2_000, sentAt, detected);
      testbed.note(`${channel}: detected after ${took} ms`);
      await testbed.settle([listener]);
      const { gaps, seen } = listener.recorder.history;
      const { position } = sent;
      const isKept = channel !== ALERTS;
      const range = { epoch: position?.epoch, from: position?.seq, to: position?.seq, lost: isKept ? 0 : 1 };
      const [gap] = gaps;
      deepEqual(
        gap && { epoch: gap.epoch, from: gap.from, to: gap.to, lost: gap.lost, repaired: gap.repaired },
        { ...range, repaired: isKept },
      );
      equal(seen.at(-1)?.n === sent.n, isKept, 'a stored message is recovered');
      await listener.subscriber.close();
      proxy.reset();
      await within('The message was dropped', dropped);
    }
  },
};

export const historyTrimmed: Scenario = {
  name: '18-history-trimmed',
  expected:
    'Messages trimmed during an outage are reported with their exact range; a partial history is marked as a snapshot.',
  async run(testbed) {
    const publisher = testbed.publisher();
    const proxy = await testbed.proxy();
    const listeners = [
      await testbed.listen(TRIMMED, { port: proxy.port }),
      await testbed.listen(FILLS, { port: proxy.port }),
    ];
    for (const { channel } of listeners) await testbed.send(publisher, channel);
    await testbed.settle();
    proxy.refuse();
    proxy.reset();
    await eventually('The links are down', () =>
      listeners.every(({ statuses }) => statuses.count('disconnected') > 0),
    );
    const missed = 1_000;
    const kept = { TRIMMED: 100, FILLS: 250 };
    for (const { channel } of listeners)
      await Promise.all(Array.from({ length: missed }, () => testbed.send(publisher, channel)));
    await testbed.command('XTRIM', `tickbus:{${FILLS}}:history`, 'MAXLEN', String(kept.FILLS));
    proxy.heal();
    for (const { channel, recorder } of listeners) {
      await within(
        'The gap is reported',
        recorder.until(({ gaps }) => gaps.length > 0),
      );
      await testbed.settle();
      const { gaps, seen } = recorder.history;
      const lost = missed - kept[channel.name as keyof typeof kept];
      const reported = gaps.map(({ cause, from, to, lost: count, repaired }) => ({
        cause,
        from,
        to,
        count,
        repaired,
      }));
      deepEqual(
        reported,
        [{ cause: 'loss', from: 2, to: 1 + lost, count: lost, repaired: false }],
        `the gap on ${channel}`,
      );
      const recovered = seen.slice(1);
      equal(recovered.length, missed - lost, 'stored messages are delivered');
      equal(
        recovered.every(({ snapshot }) => snapshot),
        true,
        'and marked as a snapshot',
      );
    }
  },
};
