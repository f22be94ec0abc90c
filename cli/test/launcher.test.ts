// How the command is called in a clone of the repository: `npx tickbus`, and its file from any other folder.

import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

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
