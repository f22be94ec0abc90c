// The slot of a key or channel in a cluster: the CRC16 of its name, or of the hash tag in it.

const SLOTS = 16_384;

/**
 * Only the text between the first `{` and the next `}` counts, unless it is empty. So a channel and all its keys, such
 * as `tickbus:{PRICE_DATA}:head`, have one slot.
 *
 * Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function keySlot(name: string): number {
  const tag = /^[^{]*\{([^}]+)\}/s.exec(name)?.[1] ?? name;
  return crc16(Buffer.from(tag)) % SLOTS;
}

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return crc;
}
