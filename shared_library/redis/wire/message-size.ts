// The sizes of large messages, for the limits on what a subscriber holds in memory.

/**
 * The size of smaller messages is not recorded, to keep their cost low. Limits on the number of messages bound their
 * memory.
 */
const LARGE_MESSAGE_BYTES = 2_048;

const sizes = new WeakMap<object, number>();

/** Records the size of a message that was decoded, if it is large. */
export function recordSize(message: object, bytes: number): void {
  if (bytes > LARGE_MESSAGE_BYTES) sizes.set(message, bytes);
}

/** The bytes that a message of more than 2,048 bytes had on the wire; 0 for a smaller one. */
export function largeSizeOf(message: object): number {
  return sizes.get(message) ?? 0;
}
