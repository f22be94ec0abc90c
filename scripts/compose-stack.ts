// Controls the services of docker-compose.yml under a separate project name, for a test.

import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The fields of `docker inspect` that the test uses. */
export interface Container {
  readonly Id: string;
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly Health?: { readonly Status: string };
  };
  readonly HostConfig: {
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
    readonly ReadonlyRootfs: boolean;
    readonly Memory: number;
    readonly PidsLimit: number | null;
  };
  /** `Name` is undefined for a mount that is not a volume. */
  readonly Mounts: readonly { readonly Name?: string }[];
  readonly NetworkSettings: {
    readonly Ports: Readonly<Record<string, readonly PortBinding[] | null>>;
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>;
  };
}

/** A port of this machine that is forwarded to a container. */
export interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** Time limit for a health check or an expected log line. */
const TIMEOUT_MS = 120_000;
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const execute = promisify(execFile);

export class ComposeStack {
  readonly project: string;
  readonly #compose: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #signal: AbortSignal;

  private constructor(
    project: string,
    compose: readonly string[],
    env: NodeJS.ProcessEnv,
    signal: AbortSignal,
  ) {
    this.project = project;
    this.#compose = compose;
    this.#env = env;
    this.#signal = signal;
  }

  /**
   * Finds Docker Compose, and starts no service. `env` sets the variables of docker-compose.yml. Commands fail after
   * `signal` aborts.
   *
   * @throws Error without a Docker engine or Docker Compose
   */
  static async open(
    project: string,
    env: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ComposeStack> {
    const full = { ...process.env, ...env, COMPOSE_PROJECT_NAME: project };
    if (!(await succeeds('docker', 'info')))
      throw new Error('No Docker engine responds. Install one, or start it: sudo systemctl start docker');
    if (await succeeds('docker', 'compose', 'version'))
      return new ComposeStack(project, ['docker', 'compose'], full, signal);
    if (await succeeds('docker-compose', 'version'))
      return new ComposeStack(project, ['docker-compose'], full, signal);
    throw new Error(
      'Docker Compose is not installed. Install it: apt-get install docker-compose-v2, or docker-compose',
    );
  }

  /** Runs `docker compose`, or `docker-compose` if only version 1 is installed. @returns stdout */
  compose(...args: string[]): Promise<string> {
    return this.#run(...this.#compose, ...args);
  }

  /** Runs `docker`. @returns stdout */
  docker(...args: string[]): Promise<string> {
    return this.#run('docker', ...args);
  }

  /** Names of the running services, sorted. */
  async running(): Promise<string[]> {
    const format = '{{.Label "com.docker.compose.service"}}';
    const names = await this.docker('ps', '--filter', this.#label, '--format', format);
    return names.split('\n').filter(Boolean).sort();
  }

  /** Ids of all containers, networks and volumes of the project, running or not. */
  async leftovers(): Promise<string[]> {
    const lists = [
      ['ps', '-a'],
      ['network', 'ls'],
      ['volume', 'ls'],
    ];
    const ids = await Promise.all(lists.map((list) => this.docker(...list, '-q', '--filter', this.#label)));
    return ids.join('').split('\n').filter(Boolean);
  }

  async inspect(service: string): Promise<Container> {
    const filters = [this.#label, `label=com.docker.compose.service=${service}`];
    const id = await this.docker('ps', '-a', '-q', ...filters.flatMap((filter) => ['--filter', filter]));
    const [container] = JSON.parse(await this.docker('inspect', id.trim())) as Container[];
    if (container === undefined) throw new Error(`${service} has no container.`);
    return container;
  }

  /** Runs a command in the container of a service. @returns stdout */
  async exec(service: string, ...command: string[]): Promise<string> {
    const { Id } = await this.inspect(service);
    return this.docker('exec', Id, ...command);
  }

  async bindings(service: string): Promise<PortBinding[]> {
    const { NetworkSettings } = await this.inspect(service);
    return Object.values(NetworkSettings.Ports).flatMap((bindings) => bindings ?? []);
  }

  async healthy(service: string): Promise<void> {
    await this.until(`${service} is healthy`, async () => {
      const { State } = await this.inspect(service);
      return State.Health?.Status === 'healthy' || undefined;
    });
  }

  /** Resolves with the first matching log line of a service after `since` (ISO 8601). */
  logged(service: string, pattern: RegExp, since: string): Promise<RegExpExecArray> {
    return this.until(`${service} logs ${pattern}`, async () => {
      const { Id } = await this.inspect(service);
      return pattern.exec(await this.#output('docker', 'logs', '--since', since, Id)) ?? undefined;
    });
  }

  /** Polls `attempt` until its result is defined. @throws Error after 120 s */
  async until<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      const result = await attempt();
      if (result !== undefined) return result;
      if (performance.now() > deadline)
        throw new Error(`${what}: this did not happen within ${TIMEOUT_MS} ms.`);
      await sleep(200);
    }
  }

  get #label(): string {
    return `label=com.docker.compose.project=${this.project}`;
  }

  async #run(command = '', ...args: string[]): Promise<string> {
    return (await this.#execute(command, args)).stdout;
  }

  /** Returns stdout and stderr, because services log to stderr. */
  async #output(command: string, ...args: string[]): Promise<string> {
    const { stdout, stderr } = await this.#execute(command, args);
    return stdout + stderr;
  }

  async #execute(command: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
    const options = { cwd: ROOT, env: this.#env, signal: this.#signal, maxBuffer: 64 * 1024 * 1024 };
    return await execute(command, args, options).catch((error) => {
      throw new Error(`${command} ${args.join(' ')} failed:\n${error.stdout}${error.stderr}`, {
        cause: error,
      });
    });
  }
}

async function succeeds(command: string, ...args: string[]): Promise<boolean> {
  return execute(command, args).then(
    () => true,
    () => false,
  );
}
