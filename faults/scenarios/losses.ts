// Messages that are lost on the way, and histories that are too short.

import { deepEqual, equal } from 'node:assert/strict';
import { ALERTS, FILLS, TICKS, TRIMMED } from '../channels.ts';
import type { Scenario } from '../scenario.ts';
import { eventually, within } from '../wait.ts';

export const lastLost: Scenario = {
  name: '17-last-message-lost',
  expected: 'The last message, lost on the wire with nothing after it, is found within 2 s.',
  waits: 'short',
  async run(stage) {
    const publisher = stage.publisher();
    const proxy = await stage.proxy();
    for (const channel of [FILLS, TICKS, ALERTS]) {
      const listener = await stage.listen(channel, { port: proxy.port });
      await stage.send(publisher, channel);
      await stage.settle([listener]);
      const marker = `last of ${channel}`;
      const dropped = proxy.dropPush(marker);
      const sent = await stage.send(publisher, channel, { key: 'lost', text: marker });
      const sentAt = performance.now();
      const told = listener.witness.until(({ gaps }) => gaps.length > 0).then(() => performance.now());
      const took = await stage.bounded(`The loss on ${channel} is found`, 2_000, sentAt, told);
      stage.note(`${channel}: found after ${took} ms`);
      await stage.settle([listener]);
      const { gaps, seen } = listener.witness.testimony;
      const { position } = sent;
      const isKept = channel !== ALERTS;
      const range = { epoch: position?.epoch, from: position?.seq, to: position?.seq, lost: isKept ? 0 : 1 };
      const [gap] = gaps;
      deepEqual(
        gap && { epoch: gap.epoch, from: gap.from, to: gap.to, lost: gap.lost, repaired: gap.repaired },
        { ...range, repaired: isKept },
      );
      equal(seen.at(-1)?.n === sent.n, isKept, 'what is kept is delivered after all');
      await listener.subscriber.close();
      proxy.reset();
      await within('It really was dropped', dropped);
    }
  },
};

export const historyTrimmed: Scenario = {
  name: '18-history-trimmed',
  expected:
    'What an outage outlasts is told with its exact range, and a part is never given as if it were whole.',
  async run(stage) {
    const publisher = stage.publisher();
    const proxy = await stage.proxy();
    const listeners = [
      await stage.listen(TRIMMED, { port: proxy.port }),
      await stage.listen(FILLS, { port: proxy.port }),
    ];
    for (const { channel } of listeners) await stage.send(publisher, channel);
    await stage.settle();
    proxy.refuse();
    proxy.reset();
    await eventually('The links are down', () =>
      listeners.every(({ statuses }) => statuses.count('disconnected') > 0),
    );
    const missed = 1_000;
    const kept = { TRIMMED: 100, FILLS: 250 };
    for (const { channel } of listeners)
      await Promise.all(Array.from({ length: missed }, () => stage.send(publisher, channel)));
    await stage.command('XTRIM', `tickbus:{${FILLS}}:history`, 'MAXLEN', String(kept.FILLS));
    proxy.heal();
    for (const { channel, witness } of listeners) {
      await within(
        'The gap is told',
        witness.until(({ gaps }) => gaps.length > 0),
      );
      await stage.settle();
      const { gaps, seen } = witness.testimony;
      const lost = missed - kept[channel.name as keyof typeof kept];
      const told = gaps.map(({ cause, from, to, lost: count, repaired }) => ({
        cause,
        from,
        to,
        count,
        repaired,
      }));
      deepEqual(
        told,
        [{ cause: 'loss', from: 2, to: 1 + lost, count: lost, repaired: false }],
        `the gap on ${channel}`,
      );
      const afterwards = seen.slice(1);
      equal(afterwards.length, missed - lost, 'what is kept is delivered');
      equal(
        afterwards.every(({ snapshot }) => snapshot),
        true,
        'and marked as a snapshot, not as if it were whole',
      );
    }
  },
};
