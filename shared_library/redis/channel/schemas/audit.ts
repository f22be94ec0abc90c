// The payload of `audit`: an action of an operator through one of the tools.

import { z } from 'zod';

export const audit = z.object({
  /** The operator, as identified by the tool: `monitor 127.0.0.1`, `ops@trading-1`. */
  actor: z.string().min(1).max(256),
  /** The tool: `monitor`, `tickbus`. */
  tool: z.string().min(1).max(64),
  action: z.enum(['send_command', 'publish', 'refused']),
  /** The channel and type of the published message. */
  channel: z.string().max(128).optional(),
  message_type: z.string().max(128).optional(),
  /** The target bot of a command, and the command's id. */
  bot: z.string().max(128).optional(),
  command_id: z.string().max(128).optional(),
  /** `unknown`: sent, but the reply was lost. */
  outcome: z.enum(['sent', 'failed', 'unknown', 'refused']),
  /** A sentence for the operator, such as the error. */
  detail: z.string().max(1000).optional(),
});

export type Audit = z.infer<typeof audit>;
