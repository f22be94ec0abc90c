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
  const taken = await call(['monitor', '--port', new URL(url).port], {
    env: { REDIS_URL: 'redis://127.0.0.1:1' },
  });
  expect(taken).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/EADDRINUSE.*--host and --port/),
  });
  monitor.type('\x03');
  expect((await monitor.ended).code).toBe(130);
});
