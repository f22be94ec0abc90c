// Test files of one worker share the modules that they import. A hook that a fixture registers when it is imported runs
// for the first of these files only.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const HOOK = /^(?:beforeAll|beforeEach|afterEach|afterAll)\(/m;

it('no fixture registers a hook when it is imported', () => {
  const folders = ['cli', 'demo', 'examples', 'faults', 'scripts', 'services', 'shared_library'];
  const fixtures = folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true }).map((path) => join(folder, String(path))),
    )
    .filter((path) => path.endsWith('.fixture.ts'));
  expect(fixtures.length).toBeGreaterThan(10);
  expect(fixtures.filter((path) => HOOK.test(readFileSync(join(ROOT, path), 'utf8')))).toEqual([]);
});
