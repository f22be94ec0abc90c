// Modules of own channels: what they add, and why one cannot be used.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsAmong, loadOwnChannels, OwnChannelsError, withOwnChannels } from '../own-channels.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tickbus-channels-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a module', () => {
  it('adds its channels, and replaces TRADE_COMMANDS', async () => {
    const own = await loadOwnChannels(fileURLToPath(new URL('channels.fixture.mjs', import.meta.url)));
    expect(own.map(({ name }) => name).sort()).toEqual(['FILLS', 'TRADE_COMMANDS']);
    const names = withOwnChannels(own).map(({ name }) => name);
    expect(names.sort()).toEqual([...Object.keys(CHANNELS), 'FILLS'].sort());
    expect(Object.keys(commandsAmong(own).messages)).toContain('set_size');
  });

  it('is not needed', () => {
    expect(withOwnChannels([])).toEqual(Object.values(CHANNELS));
    expect(commandsAmong([])).toBe(CHANNELS.TRADE_COMMANDS);
  });
});

const channel = (name: string, kind = 'event') =>
  `{ name: '${name}', kind: '${kind}', defaultType: 'a', messages: { a: {} }, keyOf: () => undefined }`;

it.each([
  ['throws.mjs', 'throw new Error("No licence.");', /cannot be loaded: No licence\. Correct the module\.$/],
  ['syntax.mjs', 'export const = 1;', /cannot be loaded: .*Correct the module\.$/],
  ['import.mjs', 'import "./absent.mjs";', /cannot be loaded: .*absent\.mjs.* Correct the module\.$/],
  ['empty.mjs', 'export const limit = 5;', /exports no channel\. Export channels that defineChannel/],
  [
    'twice.mjs',
    `export const a = ${channel('FILLS')}; export const b = ${channel('FILLS')};`,
    /exports two channels named FILLS\. Remove one of them\.$/,
  ],
  ['bundled.mjs', `export const a = ${channel('AUDIT')};`, /exports AUDIT, which is a bundled channel/],
  [
    'commands.mjs',
    `export const a = ${channel('TRADE_COMMANDS', 'command')};`,
    /exports TRADE_COMMANDS without the bundled types\. Make it with tradeCommands\(\)\.$/,
  ],
])('%s cannot be used', async (name, text, reason) => {
  const file = join(folder, name);
  await writeFile(file, text);
  const error = await loadOwnChannels(file).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(OwnChannelsError);
  expect((error as Error).message).toMatch(reason);
  expect((error as Error).message).toContain(`The module of TICKBUS_CHANNELS, ${file}, `);
});

it('says which path a missing module has', async () => {
  await expect(loadOwnChannels('absent/channels.mjs')).rejects.toThrow(
    /^The module of TICKBUS_CHANNELS, absent\/channels\.mjs, does not exist \(\/.*\/absent\/channels\.mjs\)\./,
  );
});
