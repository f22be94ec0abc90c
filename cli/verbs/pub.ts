// `tickbus pub`: validates and publishes messages.

import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Channel, defineChannel, type Envelope } from 'tickbus';
import { type Published, RedisPublisher } from 'tickbus/publisher';
import { MemoryConnection } from 'tickbus/testing';
import { ANYTHING, knownChannel, knownNames, unknownChannel } from '../channel-lookup.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';
import { count, duration } from '../option-parsers.ts';
import { type JsonPayload, parsePayload, toUserError } from '../payload.ts';
import { type DefineVerb, examples } from '../verb.ts';

interface PubOptions {
  readonly count: number;
  readonly interval?: number;
  readonly sender?: string;
  readonly dryRun?: boolean;
  readonly plain?: boolean;
}

interface Target {
  readonly channel: Channel;
  readonly type: string;
}

export const define: DefineVerb = (command, bind) => {
  command
    .argument('<channel>', `one of ${knownNames().join(', ')}; others need --plain`)
    .argument('[type]', "the message type (default: the channel's first)")
    .argument('[json]', 'the payload, a JSON object; - reads one per line from stdin')
    .option('-n, --count <n>', 'publish the message n times', count, 1)
    .option('-i, --interval <time>', 'pause between two messages', duration)
    .option('--sender <name>', 'sender of the message (default: you@host)')
    .option('--dry-run', 'validate and print the message without sending it')
    .option('--plain', 'use any Redis channel and type, without validation or sequence')
    .addHelpText(
      'after',
      `\nPrints one line per message: its audience count and its position in the channel.\n${examples(
        [`tickbus pub PRICE_DATA '{"symbol":"AAPL","price":187.5,"timestamp":0}'`, 'a price'],
        [`tickbus pub TRADE_COMMANDS pause '{"bot":"momentum"}'`, 'a command; see also tickbus cmd'],
        [
          `tickbus pub PRICE_DATA '{"symbol":"AAPL","price":"high"}' --dry-run`,
          'exit code 64: reports the invalid field',
        ],
        ['tickbus pub PRICE_DATA - < prices.jsonl', 'one message per line of a file'],
      )}`,
    )
    .action(bind(pub));
};

async function pub(
  context: Context,
  options: PubOptions,
  name: string,
  ...given: readonly (string | undefined)[]
): Promise<void> {
  const { type, json } = typeAndJson(given.filter((argument) => argument !== undefined));
  const target = targetOf(name, type, options.plain);
  const sender = options.sender ?? context.user;
  const publisher = context.closing(
    new RedisPublisher({
      sender,
      logger: context.logger,
      connection: options.dryRun ? await dryConnection(context, target) : context.connection(),
    }),
  );
  const publish = (payload: JsonPayload) => publishOne(context, options, target, publisher, payload);
  if (json === '-') return publishLines(context, options, publish);
  const payload = parsePayload(json ?? '', 'The payload');
  for (let sent = 0; sent < options.count; sent++) {
    if (sent > 0) await pause(options.interval, context.signal);
    await publish(payload);
  }
}

/** `TYPE JSON`, `JSON` or `-`: an argument that starts with `{` is the payload. */
function typeAndJson(given: readonly string[]): { type: string | undefined; json: string | undefined } {
  const [first, second] = given;
  if (second !== undefined) return { type: first, json: second };
  const isPayload = first === '-' || first?.trimStart().startsWith('{');
  if (isPayload) return { type: undefined, json: first };
  throw new UsageError(
    `The payload is missing. Add a JSON object after the ${first === undefined ? 'channel' : 'type'}, ` +
      'or - to read payloads from stdin.',
  );
}

function targetOf(name: string, type: string | undefined, plain: boolean | undefined): Target {
  const channel = knownChannel(name);
  if (!plain) {
    if (channel === undefined) throw unknownChannel(name);
    return { channel, type: type ?? channel.defaultType };
  }
  if (channel !== undefined)
    throw new UsageError(
      `${name} is a known channel. Omit --plain, so that the message is validated and gets a sequence number.`,
    );
  if (type === undefined)
    throw new UsageError('--plain needs a message type. Use for example: pub --plain mine note {}');
  return { channel: defineChannel(name, { kind: 'plain', messages: { [type]: ANYTHING } }), type };
}

/** Publishes to an in-memory server and prints the messages that arrive there. */
async function dryConnection({ terminal }: Context, { channel }: Target): Promise<MemoryConnection> {
  const connection = new MemoryConnection();
  await connection.subscribing.connect();
  await connection.subscribing.subscribe(channel, (frame) => {
    // Only a real server assigns a meaningful position and time, so the dry run omits them.
    const { seq, epoch, at, ...message } = JSON.parse(Buffer.from(frame).toString()) as Envelope;
    terminal.line(JSON.stringify(message));
  });
  terminal.note(`Dry run: nothing is sent. The message on ${channel} would be:`);
  return connection;
}

async function publishOne(
  { terminal }: Context,
  { dryRun }: PubOptions,
  { channel, type }: Target,
  publisher: RedisPublisher,
  payload: JsonPayload,
): Promise<void> {
  const published = await publisher.publish(channel, payload, { type }).catch((error: Error) => {
    throw toUserError(error);
  });
  if (dryRun) return;
  if (!terminal.isQuiet) terminal.line(receipt(terminal.isInteractive, channel, type, published));
  if (published.receivers === 0) terminal.warn(`No subscriber on ${channel} received the message.`);
}

function receipt(
  isForPeople: boolean,
  channel: Channel,
  type: string,
  { position, partition, receivers }: Published,
): string {
  if (!isForPeople)
    return JSON.stringify({ channel: channel.name, message_type: type, receivers, ...position, partition });
  const where = partition === undefined ? '' : ` of partition ${partition}`;
  const place = position === undefined ? '' : `, number ${position.seq}${where}`;
  return `Published on ${channel}: ${type}, ${receivers} ${receivers === 1 ? 'receiver' : 'receivers'}${place}.`;
}

/** Publishes each line --count times, in order; stops at the first failure. */
async function publishLines(
  { terminal, signal }: Context,
  { count: times, interval }: PubOptions,
  publish: (payload: JsonPayload) => Promise<void>,
): Promise<void> {
  let number = 0;
  let sent = 0;
  for await (const line of createInterface({ input: terminal.stdin, signal })) {
    number++;
    if (line.trim() === '') continue;
    try {
      const payload = parsePayload(line, 'The payload');
      for (let again = 0; again < times; again++) {
        if (sent++ > 0) await pause(interval, signal);
        await publish(payload);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw new Error(`Line ${number}: ${(error as Error).message}`, { cause: error });
    }
  }
  signal.throwIfAborted();
}

async function pause(ms: number | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms === undefined) return;
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}
