// Launches the command in a clone of the repository: with `npx tickbus`, and by its file from another folder.

import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { call, killCommands, startInTerminal } from './harness.ts';

afterAll(killCommands);

const root = fileURLToPath(new URL('../..', import.meta.url));

it.each([
  ['npx, in the repository', 'npx', ['--no-install', 'tickbus'], root],
  ['its link, from elsewhere', `${root}node_modules/.bin/tickbus`, [], tmpdir()],
])('starts by %s', async (_, command, args, cwd) => {
  const { stdout, stderr } = await promisify(execFile)(
    command,
    [...args, 'config', '--url', 'redis://there:1'],
    {
      cwd,
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
    },
  );
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^redis\.host +there +flag \(--url\)$/m);
});

it('starts the monitor, prints its address, and exits on Ctrl-C', async () => {
  const main = `${root}cli/main.mjs`;
  const monitor = startInTerminal(['monitor', '--port', '0', '--url', 'redis://127.0.0.1:1'], { main });
  await monitor.out(/Ctrl-C stops the monitor\./);
  const [url = ''] = /http:\S+/.exec(monitor.stdout) ?? [];
  const page = await fetch(url);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('<html');
  const env = { REDIS_URL: 'redis://127.0.0.1:1', MONITOR_PORT: new URL(url).port };
  const taken = await call(['monitor'], { env });
  expect(taken).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(
      new RegExp(`127\\.0\\.0\\.1:${env.MONITOR_PORT}: .*EADDRINUSE.*--host and --port`),
    ),
  });
  const invalid = { MONITOR_TOKEN: 'hunter2', MONITOR_MAX_AGE_MS: 'soon' };
  expect(await call(['monitor', '--port', '0'], { env: { ...env, ...invalid } })).toMatchObject({
    code: 64,
    stdout: '',
    stderr: expect.stringMatching(
      /MONITOR_TOKEN must be at least 16 .*\n.*MONITOR_MAX_AGE_MS must be a whole/,
    ),
  });
  monitor.type('\x03');
  expect((await monitor.ended).code).toBe(130);
});
