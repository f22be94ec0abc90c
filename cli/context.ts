// What every verb is given: the terminal, the settings, the signal to end, and links to Redis that are closed behind it.

import { hostname, userInfo } from 'node:os';
import type { Logger } from 'tickbus';
import { RedisConnection, type RedisConnectionOptions } from 'tickbus/connection';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

export class Context implements AsyncDisposable {
  readonly terminal: Terminal;
  readonly settings: Settings;
  /** Aborts when the process is asked to end; the reason is what to throw. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly #closing: AsyncDisposable[] = [];

  constructor(terminal: Terminal, settings: Settings, signal: AbortSignal) {
    this.terminal = terminal;
    this.settings = settings;
    this.signal = signal;
    this.logger = loggerFor(terminal);
  }

  /** Where Redis is. */
  get redis(): RedisConnectionOptions {
    return { url: this.settings.url, logger: this.logger };
  }

  /** Who uses this command: `ops@trading-1`. */
  get user(): string {
    return `${userName()}@${hostname()}`;
  }

  /** Links of this verb. Nothing connects yet. */
  connection(): RedisConnection {
    return this.closing(new RedisConnection(this.redis));
  }

  /** Closes it when the verb is over, last come first. */
  closing<T extends AsyncDisposable>(resource: T): T {
    this.#closing.unshift(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#closing.splice(0)) await resource[Symbol.asyncDispose]();
  }
}

/** A container's user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}

/** What the library logs is for --verbose: what matters to the user is said by the verb itself. */
function loggerFor(terminal: Terminal): Logger {
  const say = (level: string) => (fields: object, message: string) => {
    if (terminal.isVerbose)
      terminal.note(terminal.onStderr('dim', `${level}: ${message} ${JSON.stringify(fields)}`));
  };
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
}
