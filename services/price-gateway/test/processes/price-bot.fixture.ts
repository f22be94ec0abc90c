// A bot as a process: reads a price in a tight loop that must be fresh, and prints as JSON lines what it is told. See
// BotLine.

import { StaleDataError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';

const symbols = (process.env.SYMBOLS ?? '').split(',').filter(Boolean);
const maxAgeMs = Number(process.env.MAX_AGE_MS ?? 500);
/** The price that the loop reads. */
const [watched = 'AAPL'] = symbols;
/** Milliseconds that the loop reads without a pause, and then lets messages come in. */
const BURST_MS = 2;
const PAUSE_MS = 5;

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

const subscriber = new RedisSubscriber();
/** When the newest price of the loop's instrument arrived, by a monotonic clock. */
let arrivedAt = Number.NEGATIVE_INFINITY;
let epoch: number | undefined;

// As it arrives, before it waits for the handler.
subscriber.tap(CHANNELS.PRICE_DATA, ({ message, delivery }) => {
  if (message.data.symbol === watched && delivery !== 'snapshot') arrivedAt = performance.now();
});
subscriber.subscribe(
  CHANNELS.PRICE_DATA,
  (message) => {
    if (message.snapshot || message.epoch === epoch) return;
    epoch = message.epoch;
    say({ type: 'epoch', epoch, seq: message.seq, at: message.at });
  },
  {
    keys: symbols,
    maxAgeMs,
  },
);
subscriber.subscribe(CHANNELS.TRADE_COMMANDS, ({ id }) => say({ type: 'command', id }), { keys: ['bot'] });
subscriber.on('gap', (gap) => gap.channel === CHANNELS.PRICE_DATA.name && say(gap));
subscriber.on('verdict', (told) => say({ type: 'verdict', ...told }));
subscriber.on('instrument', (told) => say({ type: 'instrument', ...told }));
await subscriber.startListening();
say({ type: 'listening' });

let isAccepting = false;
/** How long ago the price that was accepted had arrived, at most. */
let oldestAcceptedMs = 0;

function read(): void {
  const now = performance.now();
  try {
    const { snapshot } = subscriber.requireFresh(CHANNELS.PRICE_DATA, watched, { maxAgeMs });
    // When a kept value was published, this bot cannot know by its own clock.
    if (!snapshot) oldestAcceptedMs = Math.max(oldestAcceptedMs, now - arrivedAt);
    if (!isAccepting) say({ type: 'accepts' });
    isAccepting = true;
  } catch (error) {
    if (!(error instanceof StaleDataError)) throw error;
    if (isAccepting) say({ type: 'refuses', verdict: error.verdict, oldestAcceptedMs });
    isAccepting = false;
    oldestAcceptedMs = 0;
  }
}

(function loop(): void {
  const end = performance.now() + BURST_MS;
  while (performance.now() < end) read();
  setTimeout(loop, PAUSE_MS);
})();
