// `tickbus doctor` on real clusters with good and bad settings, failed nodes, and users that differ between nodes.

import { readFile } from 'node:fs/promises';
import { type ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { DoctorFinding } from '../diagnosis/finding.ts';
import { call } from './harness.ts';

const TEST_TIMEOUT_MS = 60_000;

async function examine(url: string) {
  const { code, stdout, stderr } = await call(['doctor', '--json', '--url', url]);
  expect(stderr).toBe('');
  const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
  return {
    code,
    findings,
    of: (subject: string) => findings.filter((finding) => finding.subject === subject),
  };
}

/** The level of each finding about the cluster. */
function levels(findings: readonly DoctorFinding[]): Record<string, string> {
  const subjects = ['coverage', 'nodes', 'replicas', 'isolation', 'node timeout', 'full coverage'];
  const own = findings.filter(({ subject }) => subjects.includes(subject));
  return Object.fromEntries(own.map(({ subject, level }) => [subject, level]));
}

describe(
  'with a replica for each master',
  () => {
    let cluster: LocalCluster;
    const onAll = (command: string) =>
      Promise.all(cluster.nodes.map(({ server }) => server.answers(command)));
    beforeAll(async () => {
      cluster = await LocalCluster.start({
        replicas: 1,
        args: ['--cluster-require-full-coverage', 'no', '--min-replicas-to-write', '1'],
      });
    });
    afterAll(() => cluster[Symbol.asyncDispose]());

    it('passes the settings of docs/cluster.md', async () => {
      const { code, findings, of } = await examine(cluster.url);
      expect(code).toBe(0);
      expect(levels(findings)).toEqual({
        coverage: 'ok',
        nodes: 'ok',
        replicas: 'ok',
        isolation: 'ok',
        'node timeout': 'ok',
        'full coverage': 'ok',
      });
      expect(of('nodes')[0]?.found).toBe('3 masters, and none has failed');
      expect(of('node timeout')[0]?.found).toMatch(
        /^1 s: .* live again within 5 s \(2 node timeouts \+ 3 s\)$/,
      );
      expect(of('permissions')).toMatchObject([{ level: 'ok' }]);
    });

    it.each([
      [
        'cluster-node-timeout 20000',
        'node timeout',
        'warn',
        /^20 s: .* within 43 s /,
        /cluster-node-timeout 5000/,
      ],
      ['cluster-node-timeout 400', 'node timeout', 'warn', /^0.4 s: .* within 3.8 s /, /slow network/],
      ['min-replicas-to-write 0', 'isolation', 'warn', /cut off accepts messages/, /min-replicas-to-write 1/],
      ['min-replicas-to-write 2', 'isolation', 'fail', /rejects every message/, /Start its replicas/],
      ['cluster-require-full-coverage yes', 'full coverage', 'warn', /^required: /, /full-coverage no/],
    ])('advises on %s', async (setting, subject, level, found, advice) => {
      const [name = ''] = setting.split(' ');
      const before = { 'cluster-node-timeout': 1_000, 'min-replicas-to-write': 1 }[name] ?? 'no';
      await onAll(`CONFIG SET ${setting}`);
      const { code, of } = await examine(cluster.url);
      await onAll(`CONFIG SET ${name} ${before}`);
      expect(of(subject)).toMatchObject([
        { level, found: expect.stringMatching(found), advice: expect.stringMatching(advice) },
      ]);
      expect(code).toBe(level === 'fail' ? 1 : 0);
    });

    it('names what differs between the nodes', async () => {
      const owner = await cluster.ownerOf('PRICE_DATA');
      await owner.server.answers('CONFIG SET cluster-node-timeout 2000');
      const { of } = await examine(cluster.url);
      await owner.server.answers('CONFIG SET cluster-node-timeout 1000');
      expect(of('node timeout')).toMatchObject([
        { level: 'warn', found: expect.stringMatching(/^differs between nodes: (1 s, 2 s|2 s, 1 s); /) },
      ]);
    });

    it.each([
      ['-spublish', /may not publish on /, /SPUBLISH/],
      ['-ssubscribe', /may not subscribe on /, /SSUBSCRIBE/],
      ['-wait', /may not wait until replicas have a lease or a message on /, /WAIT/],
      ['-info', /may not publish on /, /INFO/],
      ['-cluster|info', /may not look up the nodes of the cluster on /, /CLUSTER INFO/],
      ['resetchannels &PRICE_DATA', /may use PRICE_DATA; not allowed for this user: /, undefined],
    ])('reports a user with %s', async (rule, found, advice) => {
      await onAll('ACL SETUSER narrow reset on >secret ~* &* +@all');
      // The node that answers must still say who serves which slot.
      const nodes = rule.includes('cluster') ? [await cluster.ownerOf('PRICE_DATA')] : cluster.nodes;
      await Promise.all(nodes.map(({ server }) => server.answers(`ACL SETUSER narrow ${rule}`)));
      const { of } = await examine(cluster.url.replace('//', '//narrow:secret@'));
      expect(of('permissions')).toContainEqual(
        expect.objectContaining({
          found: expect.stringMatching(found),
          ...(advice === undefined ? {} : { advice: expect.stringMatching(advice) }),
        }),
      );
    });

    it('names the nodes on which a user lacks a permission, or does not exist', async () => {
      await onAll('ACL SETUSER narrow reset on >secret ~* &* +@all');
      const owner = await cluster.ownerOf('PRICE_DATA');
      await owner.server.answers('ACL SETUSER narrow -spublish');
      const url = cluster.url.replace('//', '//narrow:secret@');
      expect((await examine(url)).of('permissions')).toMatchObject([
        {
          found: expect.stringMatching(
            new RegExp(`may not publish on .*, at 127.0.0.1:${owner.port}: every node has`),
          ),
        },
      ]);
      await owner.server.answers('ACL DELUSER narrow');
      const { code, of } = await examine(url);
      expect(code).toBe(1);
      expect(of('nodes')).toMatchObject([
        {
          level: 'fail',
          found: expect.stringContaining(`this program cannot use 127.0.0.1:${owner.port}`),
          advice: expect.stringMatching(/WRONGPASS.*same users/),
        },
      ]);
      expect(JSON.stringify(of('nodes'))).not.toContain('secret');
    });

    it.each(['gateway', 'bot', 'reader', 'monitor', 'doctor', 'operator'])(
      'passes the user %s of docs/production.md with the commands of docs/cluster.md',
      async (user) => {
        const page = await readFile(new URL('../../docs/production.md', import.meta.url), 'utf8');
        const rules = new RegExp(`^user ${user} (.+)$`, 'm').exec(page)?.[1] ?? '';
        const sharded = rules
          .replaceAll('+subscribe +unsubscribe', '+ssubscribe +sunsubscribe')
          .replaceAll('+publish', '+spublish')
          .replaceAll('+pubsub|numsub', '+pubsub|shardnumsub');
        const words = `reset ${sharded} +cluster|slots +cluster|info`.match(/\([^)]*\)|\S+/g) ?? [];
        const more = user === 'doctor' ? ['+cluster|nodes'] : user === 'gateway' ? ['+wait'] : [];
        for (const { server } of cluster.nodes) {
          const admin = createClient({ url: server.url });
          await admin.connect();
          await admin.sendCommand(['ACL', 'SETUSER', user, ...words, ...more]);
          admin.destroy();
        }
        const { code, findings, of } = await examine(cluster.url.replace('//', `//${user}:PASSWORD@`));
        expect(findings.filter(({ level }) => level === 'fail')).toEqual([]);
        expect(code).toBe(0);
        expect(of('nodes')).toMatchObject([{ level: user === 'doctor' ? 'ok' : 'unknown' }]);
        if (user === 'gateway')
          // It reads and adopts BOT_STATUS, and publishes on the other channels.
          expect(JSON.stringify(of('permissions'))).not.toMatch(
            /(publish|lease|message) on (?!BOT_STATUS")|wait until/,
          );
      },
    );

    it('says what it cannot know without CLUSTER NODES', async () => {
      await onAll('ACL SETUSER narrow reset on >secret ~* &* +@all -cluster|nodes');
      const { code, of } = await examine(cluster.url.replace('//', '//narrow:secret@'));
      expect(code).toBe(0);
      expect(of('coverage')).toMatchObject([{ level: 'ok' }]);
      expect(of('nodes')).toMatchObject([
        { level: 'unknown', advice: expect.stringContaining('CLUSTER NODES') },
      ]);
    });

    it('names a replica that has failed', async () => {
      const replica = await cluster.replicaOf(await cluster.ownerOf('PRICE_DATA'));
      onTestFinished(() => cluster.heal());
      await replica.server.kill();
      const failed = async () => (await examine(cluster.url)).of('nodes')[0];
      await expect.poll(failed, { timeout: 10_000 }).toMatchObject({
        level: 'warn',
        found: expect.stringContaining(`127.0.0.1:${replica.port}: failed`),
      });
      expect((await examine(cluster.url)).of('replicas')).toMatchObject([{ level: 'warn' }]);
    });
  },
  TEST_TIMEOUT_MS,
);

describe(
  'without replicas',
  () => {
    it('warns, and names a failed master and slots without an owner', async () => {
      await using cluster = await LocalCluster.start({ nodeTimeoutMs: 500 });
      const { code, findings } = await examine(cluster.url);
      expect(code).toBe(0);
      expect(levels(findings)).toEqual({
        coverage: 'ok',
        nodes: 'ok',
        replicas: 'warn',
        isolation: 'warn',
        'node timeout': 'ok',
        'full coverage': 'warn',
      });
      const owner = await cluster.ownerOf('PRICE_DATA');
      const slot = await cluster.slotOf('PRICE_DATA');
      await owner.server.kill();
      const failed = async () => (await examine(cluster.url)).of('nodes');
      await expect.poll(failed, { timeout: 10_000 }).toMatchObject([
        {
          level: 'fail',
          found: expect.stringMatching(new RegExp(`^127.0.0.1:${owner.port} has failed: .* down$`)),
          advice: expect.stringContaining('No replica can take over'),
        },
      ]);
      expect((await examine(cluster.url)).code).toBe(1);
      await owner.server.start();
      await cluster.untilOk();
      // The owner first, because it announces the slots that it has.
      for (const { server } of [owner, ...cluster.nodes] as ClusterNode[])
        await server.answers(`CLUSTER DELSLOTS ${slot}`);
      const { of } = await examine(cluster.url);
      expect(of('coverage')).toMatchObject([
        {
          level: 'fail',
          found: expect.stringContaining(`owns the slots ${slot}:`),
          advice: expect.stringMatching(/fix/),
        },
      ]);
    });
  },
  TEST_TIMEOUT_MS,
);
