// `npm run bench:install`: the peers' packages and servers. Once; the benchmarks themselves install nothing.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Those without which a part is left out, as the harness then says. */
const SERVERS = ['redis-server', 'nats-server?', 'mosquitto?'];

run('npm', ['ci', '--workspaces=false', '--no-audit', '--no-fund'], HERE);
run('npm', ['run', '--silent', 'provide', '--', ...SERVERS], ROOT);

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) return;
  console.error(`"${command} ${args.join(' ')}" failed${error === undefined ? '' : `: ${error.message}`}.`);
  process.exit(1);
}
