// The frames that the in-memory server publishes.

import type { ChannelSpec } from '../../channel/channel.ts';

export const utf8 = new TextEncoder();

/** Frames of single messages, or one frame with a JSON array. */
export function encodeFrames({ framing }: ChannelSpec, texts: readonly string[]): Uint8Array[] {
  if (texts.length === 0) return [];
  return (framing === 'batch' ? [`[${texts.join(',')}]`] : texts).map((text) => utf8.encode(text));
}
