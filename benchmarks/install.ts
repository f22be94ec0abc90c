// `npm run bench:install`: installs the packages and servers of the peers. The benchmarks themselves install nothing.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A "?" marks an optional server. If it is missing, the benchmarks skip its participants and report that. */
const SERVERS = ['redis-server', 'nats-server?', 'mosquitto?'];

run('npm', ['ci', '--workspaces=false', '--no-audit', '--no-fund'], HERE);
run('npm', ['run', '--silent', 'provide', '--', ...SERVERS], ROOT);

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) return;
  console.error(`"${command} ${args.join(' ')}" failed${error === undefined ? '' : `: ${error.message}`}.`);
  process.exit(1);
}
