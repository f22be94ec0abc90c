// `tickbus cmd`: tells a bot to do something, and what came of it.

import { createInterface } from 'node:readline/promises';
import type { CommandResult } from 'tickbus';
import { printable } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { v7 as uuidv7 } from 'uuid';
import { type Action, type CommandToSend, sendOnce } from '../command-sending.ts';
import type { Context } from '../context.ts';
import { EXIT, TimedOut, UsageError } from '../exit.ts';
import { duration } from '../options.ts';
import { checkPayload, parsePayload } from '../payload.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { after, unlessAborted } from '../waiting.ts';

const { TRADE_COMMANDS, COMMAND_RESULTS } = CHANNELS;
const ACTIONS = Object.keys(TRADE_COMMANDS.messages) as Action[];

interface CmdOptions {
  readonly wait?: boolean;
  readonly timeout: number;
  readonly yes?: boolean;
  readonly sender?: string;
}

export const define: DefineVerb = (command, bind) => {
  command
    .argument('<bot>', 'the bot that is to obey')
    .argument('<action>', ACTIONS.join(', '))
    .argument('[json]', 'the other fields of the command, a JSON object')
    .option(
      '-w, --wait',
      'wait for what came of it: exit code 0 when it is done, 1 when it is rejected or failed',
    )
    .option('-t, --timeout <time>', 'with --wait, the longest; then exit code 124', duration, 10_000)
    .option('-y, --yes', 'do not ask')
    .option('--sender <name>', 'who says it (default: you@host)')
    .addHelpText(
      'after',
      `\nIt asks before it sends, and is noted on AUDIT. A bot that is not there does not get it later.\n${examples(
        ['tickbus cmd momentum pause --wait', 'ask, send, and tell the answer'],
        ['tickbus cmd momentum resume --yes', 'in a script'],
        [
          `tickbus cmd paper-trader place_order '{"symbol":"AAPL","side":"buy","quantity":1}' -wy`,
          'an order',
        ],
      )}`,
    )
    .action(bind(cmd));
};

async function cmd(context: Context, options: CmdOptions, bot: string, action: string, json?: string) {
  const command = await commandFrom(bot, action, json);
  if (!options.yes && !(await isConfirmed(context, command))) {
    context.terminal.note('Nothing was sent.');
    return EXIT.failure;
  }
  const connection = context.connection();
  const publisher = context.closing(
    new RedisPublisher({ connection, logger: context.logger, sender: options.sender ?? context.user }),
  );
  // Before it is sent, or the answer could be missed.
  const waiting = options.wait ? await listenFor(context, connection, command) : undefined;
  const { receivers } = await sendOnce(context, publisher, command, options.timeout);
  if (receivers === 0)
    throw new Error(`Nobody listens to ${TRADE_COMMANDS}, so ${printable(bot)} did not get it.`);
  if (waiting === undefined) {
    tell(context, { command_id: command.id, bot, action, outcome: 'sent', receivers });
    return EXIT.ok;
  }
  const result = await inTime(context, waiting.answer, command, options.timeout);
  tell(context, { ...result, receivers });
  return result.outcome === 'done' ? EXIT.ok : EXIT.failure;
}

async function commandFrom(bot: string, action: string, json: string | undefined): Promise<CommandToSend> {
  if (!ACTIONS.includes(action as Action))
    throw new UsageError(`There is no action ${printable(action)}. The actions are ${ACTIONS.join(', ')}.`);
  const fields = json === undefined ? {} : parsePayload(json, 'The payload');
  if ('bot' in fields && fields.bot !== bot)
    throw new UsageError('The payload names another bot. Leave "bot" out of it.');
  const payload = { ...fields, bot };
  await checkPayload(TRADE_COMMANDS, action, payload);
  return { id: uuidv7(), bot, action: action as Action, payload };
}

async function isConfirmed({ terminal, settings, signal }: Context, { bot, action, payload }: CommandToSend) {
  if (!terminal.canAsk)
    throw new UsageError('There is no terminal to ask on. Use --yes to send the command without asking.');
  const { host, port } = settings.address;
  const { bot: _, ...fields } = payload;
  const details = Object.keys(fields).length > 0 ? ` ${printable(JSON.stringify(fields), 500)}` : '';
  const question = `Send ${action}${details} to ${printable(bot)} on ${host}:${port}? [y/N] `;
  const asking = createInterface({
    input: terminal.stdin,
    output: terminal.questions,
    // The terminal itself echoes, and turns Ctrl-C into a signal.
    terminal: false,
  });
  try {
    const ended = unlessAborted(new Promise<void>((resolve) => asking.once('close', resolve)), signal);
    const answer = await Promise.race([asking.question(question, { signal }), ended.then(() => '')]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    signal.throwIfAborted();
    asking.close();
  }
}

/** The final answer of the bot to this command; one that is not final is a remark. */
async function listenFor(
  context: Context,
  connection: ReturnType<Context['connection']>,
  { id, bot }: CommandToSend,
): Promise<{ answer: Promise<CommandResult> }> {
  const subscriber = context.closing(new RedisSubscriber({ connection, logger: context.logger }));
  const answer = new Promise<CommandResult>((resolve, reject) => {
    const onResult = ({ data }: { data: CommandResult }) => {
      if (data.outcome !== 'accepted') resolve(data);
      else context.terminal.note(`${printable(bot)} has begun. ${printable(data.detail ?? '')}`.trim());
    };
    const where = ({ data }: { data: CommandResult }) => data.command_id === id;
    subscriber.subscribe(COMMAND_RESULTS, onResult, { keys: [bot], where });
    subscriber.on('status', (status) => status.type === 'failed' && reject(status.error));
  });
  answer.catch(() => {});
  await subscriber.startListening();
  return { answer };
}

async function inTime(
  context: Context,
  answer: Promise<CommandResult>,
  { bot }: CommandToSend,
  timeoutMs: number,
) {
  const { passed, cancel } = after(timeoutMs);
  const seconds = (TRADE_COMMANDS.expiresInMs ?? 0) / 1_000;
  const mayStill = `It may still obey, until ${seconds} s after the command was sent.`;
  const tooLate = passed.then(() => {
    throw new TimedOut(`${printable(bot)} has not answered within ${timeoutMs / 1_000} s. ${mayStill}`);
  });
  try {
    return await unlessAborted(Promise.race([answer, tooLate]), context.signal);
  } catch (error) {
    if (context.signal.aborted) context.terminal.warn(`${printable(bot)} has not answered yet. ${mayStill}`);
    throw error;
  } finally {
    cancel();
  }
}

interface Told {
  readonly command_id: string;
  readonly bot: string;
  readonly action: string;
  readonly outcome: string;
  readonly detail?: string | undefined;
  readonly receivers: number;
}

function tell({ terminal }: Context, told: Told): void {
  if (!terminal.isInteractive) return terminal.line(JSON.stringify(told));
  const { bot, action, outcome, detail, receivers } = told;
  const what = `${action} to ${printable(bot)}: ${terminal.paint(COLOURS[outcome] ?? 'bold', outcome)}`;
  if (outcome === 'sent')
    return terminal.line(`${what}, ${receivers} listening. --wait tells what came of it.`);
  terminal.line(detail === undefined ? what : `${what}. ${printable(detail, 1_000)}`);
}

const COLOURS: Readonly<Record<string, 'green' | 'red'>> = { done: 'green', rejected: 'red', failed: 'red' };
