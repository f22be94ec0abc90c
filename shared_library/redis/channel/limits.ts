// The limits of messages, batches, keys and demand.

/** The maximum size of a message, in bytes of UTF-8. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** The maximum nesting of objects and arrays in a message. The envelope is level 1. */
export const MAX_DEPTH = 32;
/** The maximum length of `message_type`, `sender` and `id`, in UTF-16 units (`text.length`). */
export const MAX_NAME_LENGTH = 128;
/** The maximum length of the key of a message, such as its symbol, in UTF-16 units. */
export const MAX_KEY_LENGTH = 256;

/** The maximum number of keys that one subscriber requests from the gateway of a channel. */
export const MAX_SUBSCRIBER_KEYS = 20_000;
/** The maximum demand on a channel: the number of requested keys, added up over all subscribers. */
export const MAX_DEMAND = 200_000;
/**
 * The maximum number of keys that a gateway serves on a channel, and of keys with a last value on a `state` channel.
 * Beyond it, a publish for a new key is rejected with `TICKBUS_LIMIT_EXCEEDED`, unless the publisher has an exclusive
 * lease: then it must bound its keys itself.
 */
export const MAX_CHANNEL_KEYS = 50_000;

/**
 * Messages of plain clients are adopted under a new key only below this number of last values. So they leave the other
 * keys to tickbus publishers.
 */
export const MAX_ADOPTED_KEYS = 10_000;

/** The maximum length of the history of a channel, in messages. */
export const MAX_HISTORY = 100_000;
/** The maximum length of the history of one key, in messages. */
export const MAX_KEY_HISTORY = 10_000;
/**
 * The maximum number of messages in the histories of all keys of a channel. It decides how many keys have one: see
 * `maxHistoryKeys`.
 */
export const MAX_KEYED_HISTORY = 5_000_000;

/** The maximum size of a frame that carries a batch, in bytes of UTF-8. A publisher never sends more in one batch. */
export const MAX_FRAME_BYTES = 1024 * 1024;
/**
 * The maximum length of such a frame, in UTF-16 units. A publisher batches up to 262,144 units and adds positions. The
 * limit bounds the time that decoding one frame takes.
 */
export const MAX_FRAME_UNITS = 320 * 1024;
/** The maximum number of messages in a frame: twice as many as a publisher sends. */
export const MAX_FRAME_MESSAGES = 512;
