// `tickbus pub`: publishes messages, checked before anything is sent.

import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Channel, defineChannel, type Envelope } from 'tickbus';
import { type Published, RedisPublisher } from 'tickbus/publisher';
import { MemoryConnection } from 'tickbus/testing';
import { ANYTHING, bundledChannel, bundledNames, unknownChannel } from '../channels.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';
import { count, duration } from '../options.ts';
import { explained, type Payload, parsePayload } from '../payload.ts';
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
    .argument('<channel>', `one of ${bundledNames.join(', ')}; any other with --plain`)
    .argument('[type]', "the message type (default: the channel's first)")
    .argument('[json]', 'the payload, a JSON object; - reads one a line from stdin')
    .option('-n, --count <n>', 'publish it so many times', count, 1)
    .option('-i, --interval <time>', 'wait so long between two messages', duration)
    .option('--sender <name>', 'who says it (default: you@host)')
    .option('--dry-run', 'check it and print the message, and send nothing')
    .option('--plain', 'on any Redis channel, with any type: unchecked and unnumbered')
    .addHelpText(
      'after',
      `\nPrints a line for each message: how many receivers it had, and where it stands in the channel.\n${examples(
        [`tickbus pub PRICE_DATA '{"symbol":"AAPL","price":187.5,"timestamp":0}'`, 'a price'],
        [`tickbus pub TRADE_COMMANDS pause '{"bot":"momentum"}'`, 'a command; see also tickbus cmd'],
        [
          `tickbus pub PRICE_DATA '{"symbol":"AAPL","price":"high"}' --dry-run`,
          'exit code 64: says what is wrong',
        ],
        ['tickbus pub PRICE_DATA - < prices.jsonl', 'one message for each line of a file'],
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
  const publish = (payload: Payload) => publishOne(context, options, target, publisher, payload);
  if (json === '-') return publishLines(context, options, publish);
  const payload = parsePayload(json ?? '', 'The payload');
  for (let sent = 0; sent < options.count; sent++) {
    if (sent > 0) await pause(options.interval, context.signal);
    await publish(payload);
  }
}

/** `TYPE JSON`, `JSON` or `-`: what begins like an object is the payload. */
function typeAndJson(given: readonly string[]): { type: string | undefined; json: string | undefined } {
  const [first, second] = given;
  if (second !== undefined) return { type: first, json: second };
  const isPayload = first === '-' || first?.trimStart().startsWith('{');
  if (isPayload) return { type: undefined, json: first };
  throw new UsageError(
    `There is no payload. Write it as a JSON object behind the ${first === undefined ? 'channel' : 'type'}, or - to read it from stdin.`,
  );
}

function targetOf(name: string, type: string | undefined, plain: boolean | undefined): Target {
  const channel = bundledChannel(name);
  if (!plain) {
    if (channel === undefined) throw unknownChannel(name);
    return { channel, type: type ?? channel.defaultType };
  }
  if (channel !== undefined)
    throw new UsageError(
      `${name} is a bundled channel: leave --plain out, so that what you send is checked and numbered.`,
    );
  if (type === undefined)
    throw new UsageError('With --plain the message type has to be named, as in: pub --plain mine note {}');
  return { channel: defineChannel(name, { kind: 'plain', messages: { [type]: ANYTHING } }), type };
}

/** Messages go the whole way, up to a server in memory, and what arrives there is printed. */
async function dryConnection({ terminal }: Context, { channel }: Target): Promise<MemoryConnection> {
  const connection = new MemoryConnection();
  await connection.subscribing.connect();
  await connection.subscribing.subscribe(channel, (frame) => {
    // The numbers and the time would be the server's.
    const { seq, epoch, at, ...message } = JSON.parse(Buffer.from(frame).toString()) as Envelope;
    terminal.line(JSON.stringify(message));
  });
  terminal.note(`Nothing is sent: this is what would stand on ${channel}.`);
  return connection;
}

async function publishOne(
  { terminal }: Context,
  { dryRun }: PubOptions,
  { channel, type }: Target,
  publisher: RedisPublisher,
  payload: Payload,
): Promise<void> {
  const published = await publisher.publish(channel, payload, { type }).catch((error: Error) => {
    throw explained(error, channel);
  });
  if (dryRun) return;
  if (!terminal.isQuiet) terminal.line(receipt(terminal.isInteractive, channel, type, published));
  if (published.receivers === 0) terminal.warn(`Nobody was listening to ${channel}.`);
}

function receipt(
  isForPeople: boolean,
  channel: Channel,
  type: string,
  { position, receivers }: Published,
): string {
  if (!isForPeople)
    return JSON.stringify({ channel: channel.name, message_type: type, receivers, ...position });
  const place = position === undefined ? '' : `, number ${position.seq}`;
  return `Published on ${channel}: ${type}, ${receivers} ${receivers === 1 ? 'receiver' : 'receivers'}${place}.`;
}

/** Each line --count times, in order; stops at the first that cannot be published. */
async function publishLines(
  { terminal, signal }: Context,
  { count: times, interval }: PubOptions,
  publish: (payload: Payload) => Promise<void>,
): Promise<void> {
  let number = 0;
  let sent = 0;
  for await (const line of createInterface({ input: terminal.stdin, signal })) {
    number++;
    if (line.trim() === '') continue;
    try {
      const payload = parsePayload(line, 'It');
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
