// Starts the servers of the peers on free loopback ports, and always stops them.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findRedisServer, freePort, startLocalRedis } from '@tickbus/local-redis';
import { LocalCluster } from '@tickbus/local-redis/cluster';
import type { Address, ServerName } from './peers/peer.ts';

export interface PeerServer extends AsyncDisposable {
  readonly address: Address;
  /** The processes that serve. Those of replicas are left out. */
  readonly pids: readonly number[];
}

export interface ServerOptions {
  /**
   * Whether the server disconnects slow subscribers, as Redis does by default. False for throughput, because a
   * participant that is measured at its limit must not lose messages.
   */
  readonly cutsSlowSubscribers: boolean;
}

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 10_000;

/** Debian installs some servers outside the PATH of a user. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`;

/** The running servers, which are killed when the harness exits. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The version of a server on this machine; undefined if it is not installed. */
export function versionOf(server: ServerName): string | undefined {
  if (server.startsWith('redis')) return firstLine(findRedisServer() ?? 'redis-server', ['--version']);
  return server === 'nats' ? firstLine('nats-server', ['--version']) : firstLine('mosquitto', ['-h']);
}

export function startServer(name: ServerName, options: ServerOptions): Promise<PeerServer> {
  if (name === 'redis') return startRedis(options);
  if (name === 'redis-cluster') return startCluster(options);
  return name === 'nats' ? startNats() : startMosquitto();
}

async function startRedis({ cutsSlowSubscribers }: ServerOptions): Promise<PeerServer> {
  const redis = await startLocalRedis({ args: outputLimit(cutsSlowSubscribers) });
  return {
    address: { host: HOST, port: redis.port },
    pids: [redis.pid ?? 0],
    [Symbol.asyncDispose]: () => redis.kill(),
  };
}

/** Three masters with a replica each. */
async function startCluster({ cutsSlowSubscribers }: ServerOptions): Promise<PeerServer> {
  const masters = 3;
  const cluster = await LocalCluster.start({ masters, replicas: 1, args: outputLimit(cutsSlowSubscribers) });
  return {
    address: { host: HOST, port: cluster.nodes[0]?.port ?? 0 },
    pids: cluster.nodes.slice(0, masters).map(({ server }) => server.pid ?? 0),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

function outputLimit(cutsSlowSubscribers: boolean): string[] {
  return cutsSlowSubscribers ? [] : ['--client-output-buffer-limit', 'pubsub', '0', '0', '0'];
}

function startNats(): Promise<PeerServer> {
  const config = 'max_pending: 1GB\nwrite_deadline: "60s"\n';
  return startProgram('nats-server', config, (port, file) => ['-a', HOST, '-p', String(port), '-c', file]);
}

function startMosquitto(): Promise<PeerServer> {
  const config =
    'allow_anonymous true\nmax_queued_messages 0\nmax_queued_bytes 0\nset_tcp_nodelay true\nlog_type none\n';
  return startProgram('mosquitto', config, (port, file) => {
    writeFileSync(file, `listener ${port} ${HOST}\n${config}`);
    return ['-c', file];
  });
}

async function startProgram(
  program: string,
  config: string,
  argumentsFor: (port: number, configFile: string) => string[],
): Promise<PeerServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tickbus-bench-'));
  const file = join(folder, 'server.conf');
  writeFileSync(file, config);
  const port = await freePort();
  const child = spawn(program, argumentsFor(port, file), {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH },
    // Ctrl-C reaches only the harness, which then stops its servers.
    detached: true,
  });
  running.add(child);
  await Promise.race([reachable(port), failure(child, program)]);
  return {
    address: { host: HOST, port },
    pids: [child.pid ?? 0],
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      running.delete(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function reachable(port: number): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const socket = connect(port, HOST);
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await sleep(20);
  }
  throw new Error(`The server accepted no connection on port ${port} within ${START_TIMEOUT_MS} ms.`);
}

/** Rejects if the program cannot start, or exits before it accepts connections. */
async function failure(child: ChildProcess, program: string): Promise<never> {
  const output: string[] = [];
  child.stderr?.on('data', (chunk) => output.push(String(chunk)));
  const [error] = (await Promise.race([once(child, 'error'), once(child, 'exit')])) as unknown[];
  if (error instanceof Error) throw error;
  throw new Error(`${program} exited at startup: ${output.join('')}`);
}

function firstLine(program: string, args: string[]): string | undefined {
  try {
    const text = execFileSync(program, args, { encoding: 'utf8', env: { ...process.env, PATH } });
    return text.split('\n')[0];
  } catch (error) {
    // Some programs print their version and exit with an error.
    const { stdout } = error as { stdout?: string };
    return stdout?.split('\n')[0] || undefined;
  }
}
