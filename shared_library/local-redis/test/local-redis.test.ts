// A private server: start, restart, crash, data directory, and no leftover processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { freePort, startLocalRedis } from '../local-redis.ts';

it('a replica writes no file, which another server would load', async () => {
  await using master = await startLocalRedis();
  await master.answers('SET kept 1');
  await using replica = await startLocalRedis({ args: ['--replicaof', master.host, String(master.port)] });
  await expect.poll(() => replica.answers('EXISTS kept'), { timeout: 20_000 }).toBe(':1\r\n');
  await replica.kill();
  await using next = await startLocalRedis();
  expect(await next.answers('EXISTS kept')).toBe(':0\r\n');
  await replica.start();
  expect(await replica.answers('CONFIG GET dbfilename')).toContain(`tickbus-${replica.port}.rdb`);
  expect(existsSync(`/tickbus-${replica.port}.rdb`)).toBe(false);
});

it('restarts on the same port after stop and after kill', async () => {
  await using server = await startLocalRedis();
  for (const end of [() => server.stop(), () => server.kill()]) {
    await end();
    expect(await isListening(server.port)).toBe(false);
    await server.start();
    expect(await isListening(server.port)).toBe(true);
  }
});

it('keeps its data directory over a crash, and removes it on disposal', async () => {
  const server = await startLocalRedis({ keepsData: true });
  await server.answers('SET saved 1', 'SAVE', 'SET unsaved 1');
  await server.kill();
  await server.start();
  expect(await server.answers('EXISTS saved', 'EXISTS unsaved')).toBe(':1\r\n:0\r\n');
  expect(existsSync(`${server.dataDir}/dump.rdb`)).toBe(true);
  await server[Symbol.asyncDispose]();
  expect(existsSync(String(server.dataDir))).toBe(false);
});

it('has no data directory by default, and loses all data in a crash', async () => {
  await using server = await startLocalRedis();
  await server.answers('SET kept 1');
  await server.kill();
  await server.start();
  expect(server.dataDir).toBeUndefined();
  expect(await server.answers('EXISTS kept')).toBe(':0\r\n');
});

it('removes the data directory when its parent process exits', async () => {
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', KEEPER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void owner.kill('SIGKILL'));
  const ended = once(owner, 'exit');
  const [output] = (await once(owner.stdout, 'data')) as [Buffer];
  await ended;
  expect(existsSync(String(output).trim())).toBe(false);
});

it('reports the output of a server that does not start', async () => {
  const port = await freePort();
  await expect(startLocalRedis({ port, args: ['--maxmemory', 'plenty'] })).rejects.toThrow(
    /exited at startup:[\s\S]*argument must be a memory value/,
  );
  expect(await isListening(port)).toBe(false);
});

it('starts a dozen servers without a warning of Node.js', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  onTestFinished(() => void process.off('warning', onWarning));

  const servers = await Promise.all(Array.from({ length: 12 }, () => startLocalRedis()));
  await Promise.all(servers.map((server) => server.kill()));
  await turn();
  expect(warnings).toEqual([]);
});

// Only Linux kills the server after a SIGKILL of its parent.
it.runIf(process.platform === 'linux').each([
  ['exits', 'SIGTERM'],
  ['is killed', 'SIGKILL'],
] as const)('is killed when its parent %s', async (_, signal) => {
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', OWNER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void owner.kill('SIGKILL'));
  const [output] = (await once(owner.stdout, 'data')) as [Buffer];
  const server = connect(Number(String(output)), '127.0.0.1');
  await once(server, 'connect');

  // The kernel may reset the connection, which emits `error`.
  const closed = new Promise((resolve) => server.on('error', () => {}).once('close', resolve));
  owner.kill(signal);
  await closed;
  // The kernel closes the sockets of a killed process one by one, so the port can stay open for a moment longer.
  while (await isListening(Number(String(output)))) await turn();
});

const OWNER = `
  import { startLocalRedis } from ${JSON.stringify(new URL('../local-redis.ts', import.meta.url).href)};
  process.on('SIGTERM', () => process.exit());
  console.log((await startLocalRedis()).port);
  setInterval(() => {}, 1_000_000);
`;

const KEEPER = `
  import { startLocalRedis } from ${JSON.stringify(new URL('../local-redis.ts', import.meta.url).href)};
  console.log((await startLocalRedis({ keepsData: true })).dataDir);
  process.exit();
`;

/** Whether a server accepts connections on the port. */
async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
