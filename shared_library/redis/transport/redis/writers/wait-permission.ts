// Whether the user may use WAIT, asked before the first batch of a connection that replicas must confirm.

import { ErrorReply } from 'redis';
import type { RedisClient } from '../client.ts';
import { ReplicaWait } from './replica-wait.ts';
import type { ExclusiveWriterOptions } from './writer-options.ts';

export interface WaitPermissionOptions extends Pick<ExclusiveWriterOptions, 'refusedError'> {
  /** The writer has room again. */
  readonly onAnswer: () => void;
}

/** Without the permission, a batch would be published, and never confirmed. With it, the batch is sent again. */
export class WaitPermission {
  readonly #options: WaitPermissionOptions;
  #isAsking = false;

  constructor(options: WaitPermissionOptions) {
    this.#options = options;
  }

  /** The writer has no room meanwhile. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Resolves if the batch can be sent again. Rejects with DENIED if the user may not use WAIT. */
  async ask(client: RedisClient): Promise<undefined> {
    this.#isAsking = true;
    try {
      await ReplicaWait.on(client).requirePermission();
    } catch (error) {
      if (error instanceof ErrorReply) throw this.#options.refusedError(error);
    } finally {
      // The batch returns to its queue first. Otherwise a later one would be sent before it.
      setImmediate(() => {
        this.#isAsking = false;
        this.#options.onAnswer();
      });
    }
  }
}
