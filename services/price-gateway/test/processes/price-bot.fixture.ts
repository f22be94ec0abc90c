// A bot as a process: reads a fresh price in a tight loop, and prints its events as JSON lines; see `BotOutput`.

import { StaleDataError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';

const symbols = (process.env.SYMBOLS ?? '').split(',').filter(Boolean);
const maxAgeMs = Number(process.env.MAX_AGE_MS ?? 500);
/** The symbol that the loop reads. */
const [watched = 'AAPL'] = symbols;
/** The loop reads for `BURST_MS` without a pause, then yields for `PAUSE_MS` to receive messages. */
const BURST_MS = 2;
const PAUSE_MS = 5;

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

const subscriber = new RedisSubscriber();
/** Monotonic arrival time of the newest price of the loop's symbol. */
let arrivedAt = Number.NEGATIVE_INFINITY;
let epoch: number | undefined;

// A tap sees the price on arrival, before it is queued for the handler.
subscriber.tap(CHANNELS.PRICE_DATA, ({ message, delivery }) => {
  if (message.data.symbol === watched && delivery !== 'snapshot') arrivedAt = performance.now();
});
subscriber.subscribe(
  CHANNELS.PRICE_DATA,
  (message) => {
    if (message.snapshot || message.epoch === epoch) return;
    epoch = message.epoch;
    print({ type: 'epoch', epoch, seq: message.seq, at: message.at });
  },
  {
    keys: symbols,
    maxAgeMs,
  },
);
subscriber.subscribe(CHANNELS.TRADE_COMMANDS, ({ id }) => print({ type: 'command', id }), { keys: ['bot'] });
subscriber.on('gap', (gap) => gap.channel === CHANNELS.PRICE_DATA.name && print(gap));
subscriber.on('verdict', (verdict) => print({ type: 'verdict', ...verdict }));
subscriber.on('instrument', (change) => print({ type: 'instrument', ...change }));
await subscriber.startListening();
print({ type: 'listening' });

let isAccepting = false;
/** Maximum age since arrival of the accepted prices. */
let oldestAcceptedMs = 0;

function read(): void {
  const now = performance.now();
  try {
    const { snapshot } = subscriber.requireFresh(CHANNELS.PRICE_DATA, watched, { maxAgeMs });
    // Excludes snapshots, because the age of a stored value is not measured by the bot's clock.
    if (!snapshot) oldestAcceptedMs = Math.max(oldestAcceptedMs, now - arrivedAt);
    if (!isAccepting) print({ type: 'accepts' });
    isAccepting = true;
  } catch (error) {
    if (!(error instanceof StaleDataError)) throw error;
    if (isAccepting) print({ type: 'refuses', verdict: error.verdict, oldestAcceptedMs });
    isAccepting = false;
    oldestAcceptedMs = 0;
  }
}

(function loop(): void {
  const end = performance.now() + BURST_MS;
  while (performance.now() < end) read();
  setTimeout(loop, PAUSE_MS);
})();
