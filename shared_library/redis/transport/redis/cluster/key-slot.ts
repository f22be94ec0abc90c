// The slot of a key or channel in a cluster: the CRC16 of its name, or of the hash tag in it.

import { crc16 } from '../../../runtime/crc16.ts';

const SLOTS = 16_384;

/**
 * Only the text between the first `{` and the next `}` counts, unless it is empty. So a channel and all its keys, such
 * as `tickbus:{PRICE_DATA}:head`, have one slot.
 *
 * Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function keySlot(name: string): number {
  const tag = /^[^{]*\{([^}]+)\}/s.exec(name)?.[1] ?? name;
  return crc16(tag) % SLOTS;
}
