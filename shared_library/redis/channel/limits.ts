// The limits of a message, for publishers and subscribers.

/** The maximum size of a message, in bytes of UTF-8. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** The maximum nesting of objects and arrays in a message. The envelope is level 1. */
export const MAX_DEPTH = 32;

/** The maximum size of a frame that carries a batch, in bytes of UTF-8. A publisher never sends more in one batch. */
export const MAX_FRAME_BYTES = 1024 * 1024;
