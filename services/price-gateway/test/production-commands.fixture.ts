// Every command that a user of docs/production.md may run, with the arguments that cost the server most.

/** Elements of each collection: more than tickbus keeps in normal use. */
export const ELEMENTS = 20_000;
/** Arguments of a command that accepts any number. */
const ARGUMENTS = 10_000;

const many = (build: (index: number) => string[]): string[] =>
  Array.from({ length: ARGUMENTS }, (_, index) => build(index)).flat();
const repeated = (text: string) => many(() => [text]);

const HASHES = ['tickbus:{PRICE_DATA}:last', 'tickbus:{BOT_STATUS}:last'];
const STREAMS = ['tickbus:{COMMAND_RESULTS}:history', 'tickbus:{BROKER_ATTEMPTS}:history'];
const ZSETS = ['tickbus:{PRICE_DATA}:demand'];
const STRINGS = ['tickbus:{TRADE_COMMANDS}:id:x'];
const ALL = [...HASHES, ...STREAMS, ...ZSETS, ...STRINGS];
/** An argument of several megabytes; the server rejects arguments above `proto-max-bulk-len`. */
const HUGE = 'x'.repeat(4 * 1024 * 1024);
const LARGE = 'x'.repeat(2 * 1024 * 1024);

/** Fills `key` with elements of about 200 bytes. Run by the administrator. */
export const FILL: ReadonlyMap<string, string> = new Map([
  ...HASHES.map((key) => [key, "redis.call('HSET', KEYS[1], 'k' .. i, text)"] as const),
  ...STREAMS.map((key) => [key, "redis.call('XADD', KEYS[1], '1-' .. i, 'm', text)"] as const),
  ...ZSETS.map((key) => [key, "redis.call('ZADD', KEYS[1], i, i .. text)"] as const),
  ...STRINGS.map(
    (key) => [key, "if i == 1 then redis.call('SET', KEYS[1], string.rep(text, 10000)) end"] as const,
  ),
]);

const on = (keys: readonly string[], build: (key: string) => string[]): string[][] => keys.map(build);

/** The costliest calls, by command name in lower case; subcommands as in `client|list`. */
export const COSTLY: Readonly<Record<string, readonly string[][]>> = {
  // Allowed for every user, whatever the rules say.
  auth: [['AUTH', 'nobody', HUGE]],
  hello: [
    ['HELLO', '3', 'SETNAME', 'x'],
    ['HELLO', ...repeated('3')],
  ],
  quit: [['QUIT']],
  reset: [['RESET']],
  ping: [
    ['PING', HUGE],
    ['PING', LARGE],
  ],
  select: [['SELECT', '1']],
  'client|setname': [['CLIENT', 'SETNAME', LARGE]],
  'client|id': [['CLIENT', 'ID']],
  'client|info': [['CLIENT', 'INFO']],
  'client|list': [['CLIENT', 'LIST']],
  subscribe: [
    ['SUBSCRIBE', ...repeated('PRICE_DATA')],
    ['SUBSCRIBE', ...many((i) => [`tickbus:{${i}}:frames`])],
  ],
  unsubscribe: [['UNSUBSCRIBE', ...repeated('PRICE_DATA')]],
  publish: on(['PRICE_DATA', 'BOT_STATUS', 'TRADE_COMMANDS'], (channel) => ['PUBLISH', channel, LARGE]),
  'pubsub|channels': [['PUBSUB', 'CHANNELS', '*a*a*a*a*a*a*b']],
  'pubsub|numsub': [['PUBSUB', 'NUMSUB', ...repeated('PRICE_DATA')]],
  'pubsub|numpat': [['PUBSUB', 'NUMPAT']],
  get: on(ALL, (key) => ['GET', key]),
  set: on(ALL, (key) => ['SET', key, LARGE]),
  del: [...on(ALL, (key) => ['DEL', key]), ['DEL', ...repeated('tickbus:{BOT_STATUS}:last')]],
  exists: on(ALL, (key) => ['EXISTS', ...repeated(key)]),
  pttl: on(ALL, (key) => ['PTTL', key]),
  pexpire: on(ALL, (key) => ['PEXPIRE', key, '-1']),
  hmget: on(HASHES, (key) => ['HMGET', key, ...many((i) => [`k${i}`])]),
  hset: on(HASHES, (key) => ['HSET', key, ...many((i) => [`n${i}`, 'x'])]),
  hdel: on(HASHES, (key) => ['HDEL', key, ...many((i) => [`k${i}`])]),
  hscan: on(HASHES, (key) => ['HSCAN', key, '0', 'MATCH', '*a*a*a*a*b', 'COUNT', '1000000']),
  hlen: on(HASHES, (key) => ['HLEN', key]),
  xadd: [
    ...on(STREAMS, (key) => ['XADD', key, 'MAXLEN', '1', '*', 'm', LARGE]),
    ...on(STREAMS, (key) => ['XADD', key, '*', ...many((i) => [`f${i}`, 'x'])]),
  ],
  xrange: on(STREAMS, (key) => ['XRANGE', key, '-', '+']),
  xrevrange: on(STREAMS, (key) => ['XREVRANGE', key, '+', '-']),
  xlen: on(STREAMS, (key) => ['XLEN', key]),
  xread: [
    ...on(STREAMS, (key) => ['XREAD', 'STREAMS', key, '0']),
    ['XREAD', 'BLOCK', '0', 'STREAMS', ...STREAMS.slice(1), '$'],
  ],
  zadd: on(ZSETS, (key) => ['ZADD', key, ...many((i) => ['1', `n${i}`])]),
  zrem: on(ZSETS, (key) => ['ZREM', key, ...many((i) => [`n${i}`])]),
  zrangebyscore: on(ZSETS, (key) => ['ZRANGEBYSCORE', key, '-inf', '+inf']),
  zscan: on(ZSETS, (key) => ['ZSCAN', key, '0', 'MATCH', '*a*a*a*a*b', 'COUNT', '1000000']),
  zpopmin: on(ZSETS, (key) => ['ZPOPMIN', key, '1000000']),
  zcard: on(ZSETS, (key) => ['ZCARD', key]),
  zscore: on(ZSETS, (key) => ['ZSCORE', key, 'x']),
  time: [['TIME']],
  info: [['INFO', 'everything']],
  'config|get': [['CONFIG', 'GET', '*']],
  'acl|whoami': [['ACL', 'WHOAMI']],
  multi: [['MULTI']],
  watch: [['WATCH', ...repeated('tickbus:{PRICE_DATA}:fence:1')]],
  unwatch: [['UNWATCH']],
  // Ends a script that blocks the server; an error if no script is running.
  'script|kill': [['SCRIPT', 'KILL']],
};

/**
 * The commands that can stop or slow others, as docs/production.md says: scripts for everybody; for the gateway, which
 * fences other writers, also transactions and CLIENT KILL.
 */
export const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  '*': ['eval', 'evalsha'],
  gateway: ['exec', 'client|kill'],
  bars: ['exec', 'client|kill'],
};
