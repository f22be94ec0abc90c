// The program of every measured process: executes the calls of the harness over the process channel.

import type * as joining from './roles/joiner.ts';
import { measureMemory } from './roles/process-memory.ts';
import { blast, burst, closePublisher, openPublisher, pace, replay } from './roles/publisher-role.ts';
import { closeRelay, openRelay } from './roles/relay.ts';
import { begin, closeSubscriber, finish, openSubscriber } from './roles/subscriber-role.ts';

/** Loaded on demand, so that the memory of a plain client's process does not include tickbus. */
const joiner = (): Promise<typeof joining> => import('./roles/joiner.ts');

const OPERATIONS = {
  openPublisher,
  blast,
  burst,
  pace,
  replay,
  closePublisher,
  openSubscriber,
  begin,
  finish,
  closeSubscriber,
  openRelay,
  closeRelay,
  fill: async (options: Parameters<typeof joining.fill>[0]) => (await joiner()).fill(options),
  joinByTickbus: async (options: Parameters<typeof joining.joinByTickbus>[0]) =>
    (await joiner()).joinByTickbus(options),
  joinByHgetall: async (options: Parameters<typeof joining.joinByHgetall>[0]) =>
    (await joiner()).joinByHgetall(options),
  joinBars: async (options: Parameters<typeof joining.joinBars>[0]) => (await joiner()).joinBars(options),
  joinByXrevrange: async (options: Parameters<typeof joining.joinByXrevrange>[0]) =>
    (await joiner()).joinByXrevrange(options),
  measureMemory,
};

/** The operations of a worker, by name. */
export type Operations = typeof OPERATIONS;

export interface WorkerRequest {
  readonly id: number;
  readonly operation: keyof Operations;
  readonly argument: unknown;
}

export interface WorkerResponse {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

process.on('message', async ({ id, operation, argument }: WorkerRequest) => {
  const action = OPERATIONS[operation] as (argument: unknown) => Promise<unknown>;
  try {
    process.send?.({ id, result: await action(argument) } satisfies WorkerResponse);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.send?.({ id, error: text } satisfies WorkerResponse);
  }
});
// The worker exits with its harness.
process.on('disconnect', () => process.exit(0));
