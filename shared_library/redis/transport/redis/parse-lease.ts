// Parses the value of a channel's lease key.

import type { ChannelHead } from '../port.ts';

/** The lease key holds a token, the nonce of a claim in progress, or `nobody` during a hold-off. */
export function parseLease(holder: string | null): Pick<ChannelHead, 'lease'> {
  return holder !== null && /^\d+$/.test(holder) ? { lease: Number(holder) } : {};
}
