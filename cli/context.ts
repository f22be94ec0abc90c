// Context of a verb: terminal, settings, abort signal, and Redis connections that close when the verb ends.

import { hostname, userInfo } from 'node:os';
import type { Logger } from 'tickbus';
import { RedisConnection, type RedisConnectionOptions } from 'tickbus/connection';
import type { CliSettings } from './cli-settings.ts';
import type { Terminal } from './terminal.ts';

export class Context implements AsyncDisposable {
  readonly terminal: Terminal;
  readonly settings: CliSettings;
  /** Aborts on a termination signal; its reason is the error to throw. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly #closing: AsyncDisposable[] = [];

  constructor(terminal: Terminal, settings: CliSettings, signal: AbortSignal) {
    this.terminal = terminal;
    this.settings = settings;
    this.signal = signal;
    this.logger = loggerFor(terminal);
  }

  /** Redis connection options. */
  get redis(): RedisConnectionOptions {
    const { url, certificates, namespace } = this.settings;
    return { url, ...certificates, namespace, logger: this.logger };
  }

  /** User and host that run this command: `ops@trading-1`. */
  get user(): string {
    return `${userName()}@${hostname()}`;
  }

  /** A connection that connects on first use and is closed when the command ends. */
  connection(): RedisConnection {
    return this.closing(new RedisConnection(this.redis));
  }

  /** Closes `resource` when the verb ends, in reverse order of registration. */
  closing<T extends AsyncDisposable>(resource: T): T {
    this.#closing.unshift(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#closing.splice(0)) await resource[Symbol.asyncDispose]();
  }
}

/** In a container, the user may have no name: `userInfo` then throws. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}

/** Library logs appear only with --verbose; the verb itself reports what matters to the user. */
function loggerFor(terminal: Terminal): Logger {
  const log = (level: string) => (fields: object, message: string) => {
    if (terminal.isVerbose)
      terminal.note(terminal.onStderr('dim', `${level}: ${message} ${JSON.stringify(fields)}`));
  };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}
