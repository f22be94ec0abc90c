// A bot that is killed and started again: the monitor distinguishes it from its predecessor.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BotRow, Snapshot } from '../page-protocol.ts';
import { EventStreamReader, eventually } from './monitor.fixture.ts';
import { MonitorServer, postCommand, TOKEN } from './monitor-server.fixture.ts';

const BOTS = await bundledProgram(new URL('../../sample-bots/main.ts', import.meta.url));
/** Long enough for a slow machine. */
const TIMEOUT_MS = 60_000;

let server: MonitorServer;
let bot: ChildProcess | undefined;
beforeAll(async () => {
  server = await MonitorServer.open();
});
afterAll(async () => {
  bot?.kill('SIGKILL');
  await server?.close();
});

it('a restarted bot does not inherit the commands of its predecessor', {
  timeout: 3 * TIMEOUT_MS,
}, async () => {
  bot = startBot();
  const first = await rowThat((row) => row?.state === 'running');
  await send('pause');
  const paused = await rowThat((row) => row?.state === 'paused' && row.lastCommand !== undefined);
  expect(paused).toMatchObject({
    instance: first.instance,
    lastCommand: { text: 'pause', sender: 'monitor' },
  });
  bot.kill('SIGKILL');
  await once(bot, 'exit');
  bot = startBot();
  const restarted = await rowThat((row) => row?.instance !== first.instance && row?.state === 'running');
  expect(restarted).not.toHaveProperty('lastCommand');
  await send('resume');
  const resumed = await rowThat((row) => row?.lastCommand !== undefined);
  expect(resumed).toMatchObject({ instance: restarted.instance, lastCommand: { text: 'resume' } });
});

function startBot(): ChildProcess {
  return spawn(process.execPath, [BOTS, 'momentum'], {
    env: { ...process.env, REDIS_URL: server.redis.url, LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function send(type: string): Promise<void> {
  const command = { type, data: { bot: 'momentum' } };
  // The monitor learns of a bot from presence, which can be later than its first status.
  await eventually(
    async () => expect((await postCommand(server.monitor.url, command, TOKEN)).status).toBe(200),
    TIMEOUT_MS,
  );
}

/** Resolves with the row of the bot, as a new page gets it. */
async function rowThat(accepts: (row: BotRow | undefined) => boolean): Promise<BotRow> {
  let found: BotRow | undefined;
  await eventually(async () => {
    const stream = await EventStreamReader.open(`${server.monitor.url}/api/stream`);
    const { bots } = JSON.parse((await stream.next()).data) as Snapshot;
    stream.close();
    found = bots.find((row) => row.bot === 'momentum');
    expect(accepts(found)).toBe(true);
  }, TIMEOUT_MS);
  return found as BotRow;
}
