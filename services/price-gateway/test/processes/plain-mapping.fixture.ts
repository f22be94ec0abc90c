// A mapping for a venue that sends the items of a mapping as they are.

import type { FrameItem } from '../../mapping.ts';

export function read(frame: unknown): FrameItem[] {
  return frame as FrameItem[];
}
