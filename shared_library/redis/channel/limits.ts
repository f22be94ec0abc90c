// The limits of a message, in both directions.

/** The largest message in bytes of UTF-8, either way. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** The deepest nesting of objects and arrays in a message, the envelope itself being 1. */
export const MAX_DEPTH = 32;

/** The largest message of Redis that carries a batch: what a publisher sends at once, in the longest UTF-8 that it can be. */
export const MAX_FRAME_BYTES = 1024 * 1024;
