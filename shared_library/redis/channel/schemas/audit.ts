// The payload of `audit`: what a person did to the system through one of its tools.

import { z } from 'zod';

export const audit = z.object({
  /** Who did it, as far as the tool knows: `monitor 127.0.0.1`, `ops@trading-1`. */
  actor: z.string().min(1).max(256),
  /** The tool: `monitor`, `tickbus`. */
  tool: z.string().min(1).max(64),
  action: z.enum(['send_command', 'publish', 'refused']),
  /** The channel that was written to, and the type of the message. */
  channel: z.string().max(128).optional(),
  message_type: z.string().max(128).optional(),
  /** The bot that a command was for, and the command's id. */
  bot: z.string().max(128).optional(),
  command_id: z.string().max(128).optional(),
  /** `unknown`: it was sent, and whether it was published cannot be known. */
  outcome: z.enum(['sent', 'failed', 'unknown', 'refused']),
  /** A sentence for the operator, such as the error. */
  detail: z.string().max(1000).optional(),
});

export type Audit = z.infer<typeof audit>;
