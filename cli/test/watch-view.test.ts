// Repeated views, in a pipe and on a small screen.

import { PassThrough } from 'node:stream';
import { TickbusError } from 'tickbus';
import { expect, it } from 'vitest';
import { CliSettings } from '../cli-settings.ts';
import { Context } from '../context.ts';
import { type ProcessIo, Terminal } from '../terminal.ts';
import { watching } from '../watch-view.ts';

const END = new Error('the end');

/** Watches `steps` until END; returns stdout and stderr. `render` throws a step that is an error. */
async function watched(steps: readonly (readonly string[] | Error)[], screen: object = {}) {
  const [stdout, stderr] = [Object.assign(new PassThrough(), screen), new PassThrough()];
  const io = { stdin: new PassThrough(), stdout, stderr, env: {}, signal: new AbortController().signal };
  const settings = new CliSettings({ url: undefined, namespace: undefined, envFile: undefined, env: {} });
  const context = new Context(new Terminal(io as unknown as ProcessIo, {}), settings, io.signal);
  const left = [...steps, END];
  const picture = async () => {
    const step = left.shift() ?? END;
    if (step instanceof Error) throw step;
    return step;
  };
  await expect(watching(context, true, picture, { intervalMs: 1 })).rejects.toBe(END);
  return { stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

it('continues while a busy server rejects reads, and ends with any other error', async () => {
  const busy = new TickbusError('TICKBUS_SERVER_ERROR', 'BUSY');
  const { stdout, stderr } = await watched([['one'], busy, busy, ['two']]);
  expect(stdout).toBe('one\ntwo\n');
  expect(stderr).toBe('warning: Cannot read from Redis; the view is out of date. Retrying.\nReconnected.\n');
});

it('reports how many lines do not fit on the screen', async () => {
  const { stdout } = await watched([['HEAD', 'a', 'b', 'c', 'd']], { isTTY: true, rows: 4, columns: 80 });
  expect(stdout).toMatch(/HEAD[^\n]*\na[^\n]*\n\(3 more lines do not fit on this screen\)[^\n]*\n[^\n]*$/);
  const { stdout: whole } = await watched([['HEAD', 'a', 'b']], { isTTY: true, rows: 4, columns: 80 });
  expect(whole).not.toContain('more');
});
