// Keeps the statuses of bots that are plain clients as last values of BOT_STATUS, on standby, too.

import { type Connection, type Logger, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';

export interface BotStatusAdopterOptions {
  readonly connection: Connection;
  readonly logger: Logger;
}

/** Milliseconds before another attempt to listen. */
const RETRY_MS = 30_000;

/** No task of the gateway depends on it, so it reports its errors in the log and never throws. */
export class BotStatusAdopter {
  readonly #logger: Logger;
  readonly #subscriber: RedisSubscriber;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({ connection, logger }: BotStatusAdopterOptions) {
    this.#logger = logger;
    this.#subscriber = new RedisSubscriber({ connection, adopt: true, freshness: false, logger });
    this.#subscriber.subscribe(CHANNELS.BOT_STATUS, () => {});
  }

  start(): void {
    this.#subscriber.startListening().catch((error: unknown) => this.#onError(error));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#subscriber.close({ timeoutMs: 0 });
  }

  #onError(error: unknown): void {
    if (this.#isClosed) return;
    const text =
      'The gateway does not keep statuses of bots that are plain clients: it cannot read BOT_STATUS.';
    this.#logger.info({ err: error }, text);
    const isDenied = error instanceof TickbusError && error.code === 'TICKBUS_DENIED';
    if (isDenied) void this.close();
    else this.#retry = setTimeout(() => this.start(), RETRY_MS);
  }
}
