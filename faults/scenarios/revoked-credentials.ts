// Permissions and passwords that are taken away: told, tried again a bounded number of times, and never printed.

import { equal, ok } from 'node:assert/strict';
import type { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { CredentialsSettings } from '../workers/credentials.ts';

/** Tries of each of the worker's two links after a refusal; the library's limit is 3. */
const MAX_TRIES = 8;
/** Long enough for the next try of one that does not stop, whose pauses are below a second. */
const QUIET_MS = 2_000;

interface WorkerReport extends Readonly<Record<string, unknown>> {
  readonly code: string;
}

export const credentialsRefused: Scenario = {
  name: '20-credentials-refused',
  expected:
    'A permission revoked, a password wrong or changed: told, with a bounded number of tries, and no secret in any output.',
  waits: 'short',
  async run(testbed) {
    const secrets = [1, 2, 3].map((part) => `p@ss/${part}-${testbed.random.int(1e8, 9e8)}:secret`);
    const outputs = await Promise.all(
      [permissionRevoked, wrongPassword, passwordChanged].map(async (part, index) => {
        const secret = secrets[index] ?? '';
        return part({ testbed, proxy: await testbed.proxy(), user: `bot-${index}`, password: secret });
      }),
    );
    for (const [index, output] of outputs.entries()) {
      ok(/TICKBUS_(DENIED|AUTH_FAILED)/.test(output), 'the output tells what happened');
      for (const secret of secrets.flatMap((text) => [text, encodeURIComponent(text)]))
        ok(!output.includes(secret), `no secret is printed, and one is in output ${index + 1}`);
    }
    ok(!testbed.log.join('\n').includes('secret'), 'no secret is logged');
  },
};

interface Part {
  readonly testbed: Testbed;
  readonly proxy: TcpProxy;
  readonly user: string;
  readonly password: string;
}

async function permissionRevoked(part: Part): Promise<string> {
  const { testbed, proxy, user } = part;
  await allow(part);
  const worker = start(part);
  await worker.receive('published');
  const before = proxy.accepted;
  await testbed.command('ACL', 'SETUSER', user, 'resetchannels');
  equal(
    (await worker.receive<WorkerReport>('failed')).code,
    'TICKBUS_DENIED',
    'a permission that was taken away is told',
  );
  await stopsTrying(part, before, 'after the permission was revoked');
  return endOf(worker);
}

async function wrongPassword(part: Part): Promise<string> {
  await allow({ ...part, password: 'another' });
  const worker = start(part);
  equal(
    (await worker.receive<WorkerReport>('refused')).code,
    'TICKBUS_AUTH_FAILED',
    'a wrong password is told at once',
  );
  const unsent = await worker.receive<WorkerReport>('not_published');
  equal(unsent.code, 'TICKBUS_AUTH_FAILED', 'to a publisher too');
  await stopsTrying(part, 0, 'with a wrong password');
  return endOf(worker);
}

async function passwordChanged(part: Part): Promise<string> {
  const { proxy } = part;
  await allow(part);
  const worker = start(part);
  await worker.receive('published');
  await allow({ ...part, password: 'another' });
  const before = proxy.accepted;
  proxy.reset();
  equal(
    (await worker.receive<WorkerReport>('failed')).code,
    'TICKBUS_AUTH_FAILED',
    'a password that was changed is told',
  );
  await stopsTrying(part, before, 'after the password was changed');
  return endOf(worker);
}

async function allow({ testbed, user, password }: Part): Promise<void> {
  await testbed.command('ACL', 'SETUSER', user, 'reset', 'on', `>${password}`, '~*', '&*', '+@all');
}

function start({ testbed, proxy, user, password }: Part): WorkerProcess {
  const url = `redis://${user}:${encodeURIComponent(password)}@127.0.0.1:${proxy.port}/0`;
  const settings: CredentialsSettings = { url };
  const worker = new WorkerProcess('credentials', { ...settings });
  testbed.atEnd(() => worker.kill());
  return worker;
}

async function stopsTrying({ testbed, proxy }: Part, before: number, when: string): Promise<void> {
  await delay(QUIET_MS);
  const tries = proxy.accepted - before;
  await delay(QUIET_MS);
  equal(proxy.accepted - before, tries, `it stops trying ${when}`);
  ok(tries <= MAX_TRIES, `it tries a bounded number of times ${when}, and not ${tries}`);
  testbed.note(`${tries} tries ${when}`);
}

async function endOf(worker: WorkerProcess): Promise<string> {
  worker.kill();
  await worker.exited();
  return worker.output;
}
