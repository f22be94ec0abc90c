// Several processes on one channel.

import { deepEqual, equal } from 'node:assert/strict';
import type { Sent, Testimony } from '@tickbus/fault-kit/records';
import { FILLS } from '../channels.ts';
import type { Scenario } from '../scenario.ts';
import { within } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { ListenSettings } from '../workers/listen.ts';
import type { PublishSettings } from '../workers/publish.ts';

interface Done extends Readonly<Record<string, unknown>> {
  readonly sent: readonly Sent[];
}

interface Report extends Readonly<Record<string, unknown>> {
  readonly testimonies: readonly Testimony[];
}

export const oneOrder: Scenario = {
  name: '21-one-order',
  expected: 'Two processes publish on one channel, and every subscriber in every process sees one order.',
  async run(stage) {
    const count = stage.scaled(5_000, 2_000);
    const { port } = stage.redis;
    const listening: ListenSettings = { port, name: 'bot', channels: [FILLS.name], queueLimit: 100_000 };
    const elsewhere = new WorkerProcess('listen', { ...listening });
    const publishers = [1_000_000, 2_000_000].map((firstNumber) => {
      const settings: PublishSettings = { port, channel: FILLS.name, count, firstNumber };
      return new WorkerProcess('publish', { ...settings });
    });
    for (const worker of [elsewhere, ...publishers]) stage.atEnd(() => worker.kill());
    const listeners = [await stage.listen(FILLS), await stage.listen(FILLS)];
    await Promise.all([elsewhere, ...publishers].map((worker) => worker.hears('ready')));
    for (const publisher of publishers) publisher.say({ type: 'go' });
    for (const publisher of publishers) stage.ledger.merge((await publisher.hears<Done>('done')).sent);
    const last = await stage.sendUntilAccepted(stage.publisher(), FILLS);
    for (const { witness } of listeners)
      await within(
        'Every message comes',
        witness.until(({ seen }) => seen.at(-1)?.n === last.n),
      );
    let report: Report;
    do {
      elsewhere.say({ type: 'report' });
      report = await elsewhere.hears<Report>('report');
    } while (report.testimonies[0]?.seen.at(-1)?.n !== last.n);
    stage.ledger.merge([], report.testimonies);
    const [first, ...others] = stage.ledger.testimonies.map(({ seen }) => seen.map(({ n }) => n));
    equal(first?.length, 2 * count + 1, 'everything is seen');
    for (const other of others) deepEqual(other, first, 'in the same order');
  },
};
