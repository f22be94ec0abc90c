// `tickbus cmd`: sends a command to a bot and prints its outcome.

import { createInterface } from 'node:readline/promises';
import type { CommandResult } from 'tickbus';
import { printable } from 'tickbus/admin';
import { presenceList } from 'tickbus/presence';
import { AskError, RedisPublisher } from 'tickbus/publisher';
import { v7 as uuidv7 } from 'uuid';
import { commandChannel } from '../channel-lookup.ts';
import { askOnce, type CommandAction, type CommandToSend, sendOnce } from '../command-sending.ts';
import type { Context } from '../context.ts';
import { EXIT, TimedOut, UsageError } from '../exit.ts';
import { lastStatusText } from '../last-status.ts';
import { timeoutOption } from '../option-parsers.ts';
import { checkPayload, parsePayload } from '../payload.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { unlessAborted } from '../waiting.ts';

interface CmdOptions {
  readonly wait?: boolean;
  readonly timeout: number;
  readonly yes?: boolean;
  readonly sender?: string;
}

export const define: DefineVerb = (command, bind) => {
  command
    .argument('<bot>', 'the bot that receives the command')
    .argument('<action>', actions().join(', '))
    .argument('[json]', 'the other fields of the command, a JSON object')
    .option('-w, --wait', 'wait for the outcome: exit code 0 for done, 1 for rejected, expired or failed')
    .addOption(timeoutOption('time limit of --wait; beyond it exit code 124'))
    .option('-y, --yes', 'send without confirmation')
    .option('--sender <name>', 'sender of the message (default: you@host)')
    .addHelpText(
      'after',
      `\ncmd asks for confirmation and writes an AUDIT entry.
A bot that is offline does not get the command later.\n${examples(
        ['tickbus cmd momentum pause --wait', 'confirm, send, and print the outcome'],
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
  if (options.wait) return askAndPrint(context, publisher, command, options.timeout);
  const { receivers } = await sendOnce(context, publisher, command, options.timeout);
  if (receivers === 0)
    throw new Error(
      `Nobody listens to ${commandChannel()}: ${printable(bot)} did not receive ${action}. ` +
        'Start the bot, then send it again.',
    );
  printReport(context, { command_id: command.id, bot, action, outcome: 'sent', receivers });
  // The command is sent, so nothing that happens here is an error of it.
  const programs = await presenceList(connection).catch(() => undefined);
  if (programs?.every(({ name }) => name !== bot))
    context.terminal.warn(
      `PRESENCE has no program named ${printable(bot)}, so only a plain client of that name can obey. ` +
        'Check the name: see `tickbus who`.',
    );
  return EXIT.ok;
}

/** Prints the final outcome. An `accepted` outcome only prints a note. */
async function askAndPrint(
  context: Context,
  publisher: RedisPublisher,
  command: CommandToSend,
  timeoutMs: number,
): Promise<number> {
  const { bot } = command;
  const onAccepted = ({ detail = '' }: Pick<CommandResult, 'detail'>) =>
    context.terminal.note(`${printable(bot)} accepted the command. ${printable(detail)}`.trim());
  const asked = askOnce(context, publisher, command, { timeoutMs, onAccepted });
  try {
    printReport(context, await unlessAborted(asked, context.signal));
    return EXIT.ok;
  } catch (error) {
    if (context.signal.aborted) {
      const later = `It may still start the command until ${timeoutMs / 1_000} s after sending.`;
      context.terminal.warn(`${printable(bot)} has not answered yet. ${later}`);
    }
    if (!(error instanceof AskError)) throw error;
    if (error.code === 'TICKBUS_NO_ANSWER') {
      const status = await lastStatusText(context.connection(), bot).catch(() => '');
      throw new TimedOut(
        `${error.message} ${status ?? `No bot named ${printable(bot)} has reported a status.`}`.trim(),
      );
    }
    if (error.answer === undefined) throw error;
    printReport(context, error.answer as unknown as CommandReport);
    return EXIT.failure;
  }
}

async function commandFrom(bot: string, action: string, json: string | undefined): Promise<CommandToSend> {
  if (!actions().includes(action)) {
    const advice = `Use one of ${actions().join(', ')}, or name a module with own types in TICKBUS_CHANNELS.`;
    throw new UsageError(`Unknown action ${printable(action)}. ${advice}`);
  }
  const fields = json === undefined ? {} : parsePayload(json, 'The payload');
  if ('bot' in fields && fields.bot !== bot)
    throw new UsageError('The payload names another bot. Remove "bot" from the payload.');
  const payload = { ...fields, bot };
  await checkPayload(commandChannel(), action, payload);
  return { id: uuidv7(), bot, action: action as CommandAction, payload };
}

async function isConfirmed({ terminal, settings, signal }: Context, { bot, action, payload }: CommandToSend) {
  if (!terminal.canPrompt)
    throw new UsageError(
      'Cannot ask for confirmation without a terminal. Use --yes to send without confirmation.',
    );
  const { host, port } = settings.address;
  const { bot: _, ...fields } = payload;
  const details = Object.keys(fields).length > 0 ? ` ${printable(JSON.stringify(fields), 500)}` : '';
  const question = `Send ${action}${details} to ${printable(bot)} on ${host}:${port}? [y/N] `;
  const prompt = createInterface({
    input: terminal.stdin,
    output: terminal.promptStream,
    // The terminal itself echoes input and turns Ctrl-C into a signal.
    terminal: false,
  });
  try {
    const ended = unlessAborted(new Promise<void>((resolve) => prompt.once('close', resolve)), signal);
    const answer = await Promise.race([prompt.question(question, { signal }), ended.then(() => '')]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    signal.throwIfAborted();
    prompt.close();
  }
}

/** The types of commands. */
function actions(): readonly string[] {
  return Object.keys(commandChannel().messages);
}

interface CommandReport {
  readonly command_id: string;
  readonly bot: string;
  readonly action: string;
  readonly outcome: string;
  readonly detail?: string | undefined;
  /** Only without `--wait`. */
  readonly receivers?: number;
}

function printReport({ terminal }: Context, report: CommandReport): void {
  if (!terminal.isInteractive) return terminal.line(JSON.stringify(report));
  const { bot, action, outcome, detail, receivers } = report;
  const what = `${action} to ${printable(bot)}: ${terminal.paint(COLOURS[outcome] ?? 'bold', outcome)}`;
  if (outcome === 'sent')
    return terminal.line(`${what}, ${receivers} listening. Use --wait for the outcome.`);
  terminal.line(detail === undefined ? what : `${what}. ${printable(detail, 1_000)}`);
}

const COLOURS: Readonly<Record<string, 'green' | 'red'>> = {
  done: 'green',
  rejected: 'red',
  expired: 'red',
  failed: 'red',
};
