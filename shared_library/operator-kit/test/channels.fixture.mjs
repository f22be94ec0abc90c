// A user's own channels, as a module for TICKBUS_CHANNELS.

import { defineChannel, tradeCommands } from 'tickbus';
import { z } from 'zod';

const fill = z.object({ order: z.string(), quantity: z.number() });

export const FILLS = defineChannel('FILLS', {
  kind: 'event',
  key: 'order',
  history: 100,
  messages: { fill },
});
export const COMMANDS = tradeCommands({ set_size: z.object({ size: z.number() }) });
/** Exports that are no channel are ignored. */
export const LIMIT = 5;
export { FILLS as Executions };
