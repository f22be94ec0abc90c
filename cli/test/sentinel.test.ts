// The verbs pub, sub and doctor with the address of a Sentinel group, and with addresses that do not work.

import { SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { freePort } from '@tickbus/local-redis';
import { Random } from '@tickbus/test-kit/random';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, jsonLines, killCommands, startTickbus } from './harness.ts';

const SEED = 1;
const START_TIMEOUT_MS = 40_000;
const LOGIN = '?sentinel_password=open-sesame';
const PRICE = JSON.stringify({ symbol: 'SENTINEL', price: 2, timestamp: 0 });

let group: SentinelGroup;
beforeAll(async () => {
  group = await SentinelGroup.start({ random: new Random(SEED), sentinelPassword: 'open-sesame' });
}, START_TIMEOUT_MS);
afterAll(async () => {
  killCommands();
  await group[Symbol.asyncDispose]();
});

it('sub prints what pub publishes', async () => {
  const address = ['--url', group.url];
  const sub = startTickbus([...address, 'sub', 'PRICE_DATA', '--key', 'SENTINEL', '-n', '1', '-v']);
  await sub.err(/Listening to PRICE_DATA/);
  const pub = await call([...address, 'pub', 'PRICE_DATA', PRICE]);
  expect(pub).toMatchObject({ code: 0, stderr: '' });
  const { code, stdout } = await sub.ended;
  expect(code).toBe(0);
  expect(jsonLines(stdout)).toMatchObject([{ data: { symbol: 'SENTINEL', price: 2 } }]);
});

it('doctor reports sentinels and replicas, and advises for an isolated master', async () => {
  const { code, stdout } = await call(['--url', group.url, 'doctor']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ok .*sentinels +3 of 3 sentinels of "mymaster" answer$/m);
  expect(stdout).toMatch(/^ok .*replicas +the master has 2 replicas$/m);
  expect(stdout).toMatch(/^warn .*isolation +a master that is cut off accepts messages/m);
  expect(stdout).not.toContain('open-sesame');
});

it('doctor fails if the master has fewer replicas than it needs, and names a missing permission for WAIT', async () => {
  const { server } = await group.master();
  await server.answers('CONFIG SET min-replicas-to-write 3', 'ACL SETUSER narrow on >pw ~* &* +@all -wait');
  const { code, stdout } = await call(['--url', group.url.replace('//', '//narrow:pw@'), 'doctor']);
  await server.answers('CONFIG SET min-replicas-to-write 0');
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^FAIL .*isolation +the master rejects every message: .*min-replicas-to-write \(3\)$/m,
  );
  expect(stdout).toMatch(/^warn .*permissions +narrow may not wait until replicas have .*\n.*: WAIT/m);
});

it('a sentinel of the address may be dead, and a host name unknown', async () => {
  const url = `redis+sentinel://127.0.0.1:${await freePort()},nowhere.invalid,${sentinel()}/mymaster${LOGIN}`;
  expect((await call(['--url', url, 'pub', 'PRICE_DATA', PRICE])).code).toBe(0);
});

describe('pub, sub and doctor say in one line why they fail', () => {
  it('if no sentinel of the address answers', async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    await expectFailure(
      `redis+sentinel://${dead},nowhere.invalid:26379/mymaster${LOGIN}`,
      `${dead} refused the connection; nowhere.invalid:26379 is an unknown host name`,
    );
  });

  it('if the sentinels do not know the name of the master', () =>
    expectFailure(
      `redis+sentinel://${sentinel()}/other${LOGIN}`,
      'No sentinel names the master "other"',
      'does not watch a master of this name',
    ));

  it('if the sentinels reject the password', () =>
    expectFailure(
      `redis+sentinel://:hunter2@${sentinel()}/mymaster?sentinel_password=hunter2`,
      'rejects the password',
      'Set sentinel_password',
    ));

  it('if the address names the servers in place of the sentinels', async () => {
    const { proxy } = await group.master();
    await expectFailure(`redis+sentinel://127.0.0.1:${proxy.port}/mymaster`, 'is no sentinel');
  });
});

it('doctor fails without a majority of the sentinels, and names those that do not answer', async () => {
  const stopped = group.sentinels.slice(1);
  await Promise.all(stopped.map(({ server }) => server.kill()));
  for (const { proxy } of stopped) proxy.refuse();
  const { code, stdout } = await call(['--url', group.url, 'doctor']);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FAIL .*sentinels +1 of 3 sentinels of "mymaster" answer$/m);
  expect(stdout).toContain(`127.0.0.1:${stopped[0]?.proxy.port} closed the connection`);
});

function sentinel(): string {
  return `127.0.0.1:${group.sentinels[0]?.proxy.port}`;
}

async function expectFailure(url: string, ...sentences: string[]): Promise<void> {
  for (const verb of [['pub', 'PRICE_DATA', PRICE], ['sub', 'PRICE_DATA'], ['doctor']]) {
    const { code, stdout, stderr } = await call(['--url', url, ...verb]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    for (const sentence of sentences) expect(stderr).toContain(sentence);
    expect(stderr).not.toMatch(/hunter2|open-sesame/);
  }
}
