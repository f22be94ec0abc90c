// Several publishers and subscribers in separate processes on one channel.

import { deepEqual, equal } from 'node:assert/strict';
import type { HandlerHistory, SentRecord } from '@tickbus/fault-kit/records';
import { FILLS } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import { within } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { ListenSettings } from '../workers/listen.ts';
import type { PublishSettings } from '../workers/publish.ts';

interface PublishDone extends Readonly<Record<string, unknown>> {
  readonly sent: readonly SentRecord[];
}

interface ListenerReport extends Readonly<Record<string, unknown>> {
  readonly histories: readonly HandlerHistory[];
}

export const oneOrder: Scenario = {
  name: '21-one-order',
  expected:
    'While two processes publish on one channel, every subscriber in every process receives the same order.',
  async run(testbed) {
    const count = testbed.scaled(5_000, 2_000);
    const { url } = testbed.redis;
    const listening: ListenSettings = { url, name: 'bot', channels: [FILLS.name], queueLimit: 100_000 };
    const otherProcess = new WorkerProcess('listen', { ...listening });
    const publishers = [1_000_000, 2_000_000].map((firstNumber) => {
      const settings: PublishSettings = { url, channel: FILLS.name, count, firstNumber };
      return new WorkerProcess('publish', { ...settings });
    });
    for (const worker of [otherProcess, ...publishers]) testbed.atEnd(() => worker.kill());
    const listeners = [await testbed.listen(FILLS), await testbed.listen(FILLS)];
    await Promise.all([otherProcess, ...publishers].map((worker) => worker.receive('ready')));
    for (const publisher of publishers) publisher.send({ type: 'start' });
    for (const publisher of publishers)
      testbed.ledger.merge((await publisher.receive<PublishDone>('done')).sent);
    const last = await testbed.sendUntilAccepted(testbed.publisher(), FILLS);
    for (const { recorder } of listeners)
      await within(
        'Every message is received',
        recorder.until(({ seen }) => seen.at(-1)?.n === last.n),
      );
    let report: ListenerReport;
    do {
      otherProcess.send({ type: 'report' });
      report = await otherProcess.receive<ListenerReport>('report');
    } while (report.histories[0]?.seen.at(-1)?.n !== last.n);
    testbed.ledger.merge([], report.histories);
    const [first, ...others] = testbed.ledger.histories.map(({ seen }) => seen.map(({ n }) => n));
    equal(first?.length, 2 * count + 1, 'every message is received');
    for (const other of others) deepEqual(other, first, 'in the same order');
  },
};
