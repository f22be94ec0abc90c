// `tickbus price`: the latest price of instruments, with the freshness verdict.

import type { Latest, MessageOf, PriceChannel, Verdict } from 'tickbus';
import { printable } from 'tickbus/admin';
import { RedisSubscriber } from 'tickbus/subscriber';
import { priceChannelNamed } from '../channel-lookup.ts';
import type { Context } from '../context.ts';
import { duration as timeText } from '../duration-text.ts';
import { EXIT, UsageError } from '../exit.ts';
import { duration } from '../option-parsers.ts';
import { fittingTable } from '../table.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { unlessAborted } from '../waiting.ts';
import { watching } from '../watch-view.ts';

interface PriceOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly channel: string;
  readonly maxAge?: number;
}

type LatestPrice = Latest<MessageOf<PriceChannel>> & { readonly symbol: string };

const DEFAULT_MAX_AGE_MS = 5_000;
const WATCH_MS = 500;

export const define: DefineVerb = (command, bind) => {
  command
    .argument('<symbol...>', 'instruments, in the spelling of the venue')
    .option('-w, --watch', 'refresh until Ctrl-C')
    .option('-c, --channel <name>', 'channel of a venue, such as PRICE_DATA.kraken', 'PRICE_DATA')
    .option('--json', 'one JSON object for each instrument, a line each')
    .option(
      '--max-age <time>',
      'maximum age of a fresh price (5s); if given, exit code 3 unless all are fresh',
      duration,
    )
    .addHelpText(
      'after',
      `\nThe verdict is fresh, or the reason why not:
halted, no_price, quiet_market, not_requested, unknown_instrument, feed_down, gateway_down, link_down, recovering,
lagging.
price only reads: it adds no symbol demand at the gateway.\n${examples(
        ['tickbus price AAPL MSFT', 'the last prices'],
        ['tickbus price AAPL --max-age 2s --json', 'in a script: exit code 3 unless the price is fresh'],
        ['tickbus price AAPL --watch', 'a table that stays up to date, until Ctrl-C'],
        ['tickbus price BTC/USD --channel PRICE_DATA.kraken', 'of a second venue'],
      )}`,
    )
    .action(bind(price));
};

async function price(context: Context, options: PriceOptions, given: readonly string[]): Promise<number> {
  if (given.includes('')) throw new UsageError('A symbol is empty. Name an instrument, such as AAPL.');
  const channel = priceChannelNamed(options.channel);
  const symbols = [...new Set(given)];
  const requested = new Set(symbols);
  const { maxAge: maxAgeMs = DEFAULT_MAX_AGE_MS } = options;
  const subscriber = context.closing(new RedisSubscriber(context.redis));
  subscriber.subscribe(channel, () => {}, { where: ({ data }) => requested.has(data.symbol) });
  let failure: Error | undefined;
  const warnings = new Set<string>();
  subscriber.on('status', (status) => {
    if (status.type === 'failed') failure = status.error;
    // Without this warning, the user sees only the verdict `recovering` and not why the last values cannot be read.
    if (status.type === 'recovery_failed')
      warnings.add(`Cannot read the last values of ${status.channel}: ${status.error.message}`);
  });
  await unlessAborted(subscriber.startListening(), context.signal);
  let prices: LatestPrice[] = [];
  const render = async () => {
    // The connection has failed permanently and does not reconnect.
    if (failure !== undefined) throw failure;
    prices = symbols.map((symbol) => ({ symbol, ...subscriber.latest(channel, symbol, { maxAgeMs }) }));
    return options.json ? prices.map(jsonOf) : tableOf(context, prices);
  };
  for (const warning of warnings) context.terminal.warn(warning);
  await watching(context, options.watch, render, { intervalMs: WATCH_MS });
  const areFresh = prices.every(({ verdict }) => verdict === 'fresh');
  return areFresh || options.maxAge === undefined ? EXIT.ok : EXIT.stale;
}

/** JSON has no Infinity: the age of a missing price is null. */
function jsonOf({
  symbol,
  message,
  verdict,
  reason,
  changedAgoMs,
  confirmedAgoMs,
  instrument,
}: LatestPrice): string {
  const { limitDown, limitUp } = instrument ?? {};
  const age = (ms: number) => (Number.isFinite(ms) ? ms : null);
  return JSON.stringify({
    symbol,
    verdict,
    reason,
    changed_ago_ms: age(changedAgoMs),
    confirmed_ago_ms: age(confirmedAgoMs),
    ...(limitDown !== undefined && { limit_down: limitDown }),
    ...(limitUp !== undefined && { limit_up: limitUp }),
    data: message?.data ?? null,
  });
}

function tableOf({ terminal }: Context, prices: readonly LatestPrice[]): string[] {
  const hasBands = prices.some(({ instrument }) => bandOf(instrument) !== '-');
  const rows = prices.map(
    ({ symbol, message, verdict, reason, changedAgoMs, confirmedAgoMs, instrument }) => {
      const { price: last, bid, ask } = message?.data ?? {};
      return [
        printable(symbol, 64),
        ...[last, bid, ask].map(numberText),
        ...(hasBands ? [bandOf(instrument)] : []),
        timeText(changedAgoMs),
        timeText(confirmedAgoMs),
        terminal.paint(colourOf(verdict), verdict),
        verdict === 'fresh' ? '' : printable(reason, 200),
      ];
    },
  );
  const band = hasBands ? ['BAND'] : [];
  const head = ['SYMBOL', 'PRICE', 'BID', 'ASK', ...band, 'AGE', 'CONFIRMED', 'VERDICT', ''];
  const aligned = head.map((name) => (['SYMBOL', 'VERDICT', ''].includes(name) ? 'left' : 'right'));
  return fittingTable(head, rows, aligned, {
    width: terminal.columns,
    spare: [['CONFIRMED'], ['BAND'], ['BID', 'ASK'], ['PRICE']],
    text: '',
  });
}

/** The price band that the venue has announced. */
function bandOf({
  limitDown,
  limitUp,
}: NonNullable<LatestPrice['instrument']> | Record<string, undefined> = {}): string {
  const limits = [limitDown, limitUp];
  return limits.every((limit) => limit === undefined) ? '-' : limits.map(numberText).join('..');
}

function numberText(value: number | undefined): string {
  return value === undefined ? '-' : String(value);
}

function colourOf(verdict: Verdict): 'green' | 'yellow' | 'red' {
  if (verdict === 'fresh') return 'green';
  return verdict === 'quiet_market' || verdict === 'not_requested' ? 'yellow' : 'red';
}
