// Installs missing programs that the tests need. This works only as root on Debian or Ubuntu, with apt-get. Otherwise
// it prints the install command and fails. A program whose name ends with "?" may be missing, unless CI=true.
//   tsx scripts/provide.ts redis-server python3-redis?

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

interface Program {
  /** The program is installed if any of these commands succeeds. */
  readonly probes: readonly (readonly [command: string, ...args: string[]])[];
  /** How to install it without apt. */
  readonly elsewhere: string;
}

/** The programs by the name of their Debian package. */
const PROGRAMS: Readonly<Record<string, Program>> = {
  'redis-server': {
    probes: [
      ['redis-server', '--version'],
      ['valkey-server', '--version'],
    ],
    elsewhere: 'brew install redis, or see https://redis.io/docs/latest/operate/oss_and_stack/install/',
  },
  'nats-server': {
    probes: [
      ['nats-server', '--version'],
      ['/usr/sbin/nats-server', '--version'],
    ],
    elsewhere:
      'brew install nats-server, or see https://docs.nats.io/running-a-nats-service/introduction/installation',
  },
  mosquitto: {
    // mosquitto has no option that only prints the version.
    probes: [['sh', '-c', 'command -v mosquitto || test -x /usr/sbin/mosquitto']],
    elsewhere: 'brew install mosquitto, or see https://mosquitto.org/download/',
  },
  openssl: {
    probes: [['openssl', 'version']],
    elsewhere: 'brew install openssl',
  },
  chromium: {
    probes: [[process.env.CHROMIUM ?? '/usr/bin/chromium', '--version']],
    elsewhere: 'brew install --cask chromium, and set CHROMIUM to the path of its program',
  },
  'python3-redis': {
    probes: [
      ['python3', '-c', 'import redis'],
      ['/usr/bin/python3', '-c', 'import redis'],
    ],
    elsewhere: 'pip install redis',
  },
};

for (const argument of process.argv.slice(2)) provide(argument.replace(/\?$/, ''), argument.endsWith('?'));

function provide(name: string, isOptional: boolean): void {
  const program = PROGRAMS[name];
  if (program === undefined)
    fail(`Unknown program "${name}". Use one of: ${Object.keys(PROGRAMS).join(', ')}.`);
  if (isInstalled(program)) return;
  const problem = canInstall()
    ? install(name)
    : `Install it: ${isDebian() ? `sudo apt-get install ${name}` : program.elsewhere}`;
  if (isInstalled(program)) return;
  const message = `${name} is required but missing. ${problem ?? 'apt-get installed it, but it is not on PATH.'}`;
  if (!isOptional || process.env.CI === 'true') fail(message);
  console.error(`${message} Continuing without it.`);
}

/** @returns the error; undefined on success */
function install(name: string): string | undefined {
  console.error(`${name} is not installed; installing it with apt-get.`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };
  for (const command of ['apt-get update -qq', `apt-get install -y -qq --no-install-recommends ${name}`]) {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { env, encoding: 'utf8' });
    if (status !== 0) return `"${command}" failed: ${stdout}${stderr}`;
  }
  return undefined;
}

function isInstalled({ probes }: Program): boolean {
  return probes.some(([command, ...args]) => {
    try {
      execFileSync(command, args, { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

function canInstall(): boolean {
  return isDebian() && process.getuid?.() === 0;
}

function isDebian(): boolean {
  return existsSync('/etc/debian_version');
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
