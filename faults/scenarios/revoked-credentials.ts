// Revoked permissions and wrong passwords are reported, retried a bounded number of times, and never printed.

import { equal, ok } from 'node:assert/strict';
import type { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { CredentialsSettings } from '../workers/credentials.ts';

/** Maximum connection attempts on both links of the worker together. The library stops after 3 on each link. */
const MAX_ATTEMPTS = 8;
/** Longer than the reconnect delay, which is below a second. */
const QUIET_MS = 2_000;

interface WorkerReport extends Readonly<Record<string, unknown>> {
  readonly code: string;
}

export const credentialsRefused: Scenario = {
  name: '20-credentials-refused',
  expected:
    'A revoked permission and a wrong password are reported after a bounded number of attempts, without secrets.',
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
      ok(/TICKBUS_(DENIED|AUTH_FAILED)/.test(output), 'the output reports the error code');
      for (const secret of secrets.flatMap((text) => [text, encodeURIComponent(text)]))
        ok(!output.includes(secret), `output ${index + 1} has no secret`);
    }
    ok(!testbed.log.join('\n').includes('secret'), 'no secret is logged');
  },
};

interface CredentialsTest {
  readonly testbed: Testbed;
  readonly proxy: TcpProxy;
  readonly user: string;
  readonly password: string;
}

async function permissionRevoked(part: CredentialsTest): Promise<string> {
  const { testbed, proxy, user } = part;
  await allow(part);
  const worker = start(part);
  await worker.receive('published');
  const before = proxy.accepted;
  await testbed.command('ACL', 'SETUSER', user, 'resetchannels');
  equal(
    (await worker.receive<WorkerReport>('failed')).code,
    'TICKBUS_DENIED',
    'a revoked permission is reported',
  );
  await expectNoMoreAttempts(part, before, 'after the permission was revoked');
  return outputOf(worker);
}

async function wrongPassword(part: CredentialsTest): Promise<string> {
  await allow({ ...part, password: 'another' });
  const worker = start(part);
  equal(
    (await worker.receive<WorkerReport>('refused')).code,
    'TICKBUS_AUTH_FAILED',
    'a wrong password is reported at once',
  );
  const unsent = await worker.receive<WorkerReport>('not_published');
  equal(unsent.code, 'TICKBUS_AUTH_FAILED', 'also to a publisher');
  await expectNoMoreAttempts(part, 0, 'with a wrong password');
  return outputOf(worker);
}

async function passwordChanged(part: CredentialsTest): Promise<string> {
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
    'a changed password is reported',
  );
  await expectNoMoreAttempts(part, before, 'after the password was changed');
  return outputOf(worker);
}

async function allow({ testbed, user, password }: CredentialsTest): Promise<void> {
  await testbed.command('ACL', 'SETUSER', user, 'reset', 'on', `>${password}`, '~*', '&*', '+@all');
}

function start({ testbed, proxy, user, password }: CredentialsTest): WorkerProcess {
  const url = `redis://${user}:${encodeURIComponent(password)}@127.0.0.1:${proxy.port}/0`;
  const settings: CredentialsSettings = { url };
  const worker = new WorkerProcess('credentials', { ...settings });
  testbed.atEnd(() => worker.kill());
  return worker;
}

async function expectNoMoreAttempts(
  { testbed, proxy }: CredentialsTest,
  before: number,
  when: string,
): Promise<void> {
  await delay(QUIET_MS);
  const attempts = proxy.accepted - before;
  await delay(QUIET_MS);
  equal(proxy.accepted - before, attempts, `it stops reconnecting ${when}`);
  ok(attempts <= MAX_ATTEMPTS, `the attempts ${when} are bounded; there were ${attempts}`);
  testbed.note(`${attempts} attempts ${when}`);
}

async function outputOf(worker: WorkerProcess): Promise<string> {
  worker.kill();
  await worker.exited();
  return worker.output;
}
