// The command line as a whole: the verbs, the options that all of them have, and how each way to end becomes an exit code.

import { Command, CommanderError, Option } from 'commander';
import type { Context } from './context.ts';
import { EXIT, exitCodeOf, Interrupted } from './exit.ts';
import { type ProcessIo, Terminal } from './terminal.ts';
import type { Action, Bind, DefineVerb } from './verb.ts';
import { unlessAborted } from './waiting.ts';

export interface VerbEntry {
  readonly name: string;
  readonly summary: string;
  /** Only the verb that is asked for is loaded. */
  load(): Promise<{ define: DefineVerb }>;
}

/** In the order of the help. */
export const VERBS: readonly VerbEntry[] = [
  { name: 'sub', summary: 'print what is published on channels', load: () => import('./verbs/sub.ts') },
  { name: 'pub', summary: 'publish messages on a channel', load: () => import('./verbs/pub.ts') },
  {
    name: 'price',
    summary: 'show the newest prices, and whether to believe them',
    load: () => import('./verbs/price.ts'),
  },
  { name: 'bots', summary: 'show how each bot is', load: () => import('./verbs/bots.ts') },
  { name: 'cmd', summary: 'tell a bot to do something', load: () => import('./verbs/cmd.ts') },
  { name: 'top', summary: 'show what is going on on every channel', load: () => import('./verbs/top.ts') },
  { name: 'bench', summary: 'measure this library with this server', load: () => import('./verbs/bench.ts') },
  {
    name: 'check',
    summary: 'answer one question for a monitoring system',
    load: () => import('./verbs/check.ts'),
  },
  {
    name: 'doctor',
    summary: 'is the server fit, and what to change',
    load: () => import('./verbs/doctor.ts'),
  },
  { name: 'record', summary: 'write what is published into a file', load: () => import('./verbs/record.ts') },
  { name: 'replay', summary: 'publish a recorded file again', load: () => import('./verbs/replay.ts') },
  {
    name: 'monitor',
    summary: 'start the live monitor, a page in the browser',
    load: () => import('./verbs/monitor.ts'),
  },
  { name: 'config', summary: 'show each setting and its origin', load: () => import('./verbs/config.ts') },
  { name: 'completion', summary: 'help a shell to complete', load: () => import('./verbs/completion.ts') },
];

interface GlobalOptions {
  readonly url?: string;
  readonly envFile?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Runs the command line and gives its exit code; says on stderr why it failed. */
export async function run(args: readonly string[], io: ProcessIo): Promise<number> {
  const outcome = { code: EXIT.ok as number };
  const program = createProgram(io);
  try {
    const [wanted] = createProgram(io).parseOptions([...args]).operands;
    for (const entry of VERBS) {
      const command = program.command(entry.name).description(entry.summary);
      // A completion script has the options of all verbs in it.
      if (entry.name === wanted || wanted === 'completion')
        (await entry.load()).define(command, binder(io, outcome));
    }
    await program.parseAsync([...args], { from: 'user' });
    return outcome.code;
  } catch (error) {
    // Commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof Interrupted)) sayWhy(error, new Terminal(io, program.opts<GlobalOptions>()));
    return exitCodeOf(error);
  }
}

/** The program without its verbs. */
function createProgram({ stdout, stderr }: Pick<ProcessIo, 'stdout' | 'stderr'>): Command {
  return new Command('tickbus')
    .description('Look into the channels of a tickbus, send on them, measure and check them.')
    .version(VERSION, '-V, --version', 'print the version')
    .option(
      '--url <url>',
      'where Redis is: redis[s]://[[user]:password@]host[:port][/db] (default: REDIS_URL, ...)',
    )
    .option(
      '--env-file <file>',
      'read variables such as REDIS_URL from this file; the environment wins over it',
    )
    .addOption(
      new Option('-q, --quiet', 'no remarks and warnings, only data and errors').conflicts('verbose'),
    )
    .option('-v, --verbose', 'tell more, on stderr')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .addHelpText('after', CLOSING)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'tickbus: ')),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('Use --help to see what can be typed.')
    .exitOverride();
}

const VERSION = '0.1.0';
/** So long a verb may take to end after the signal. A server that hangs would hold it up for longer. */
const LAST_STEPS_MS = 1_000;

const CLOSING = `
Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 failure, 64 usage, 124 time-out, 130 Ctrl-C.
Times are written as 500ms, 2s, 1m, 1h; a number alone is seconds. Each verb has examples: tickbus sub --help
`;

function binder(io: ProcessIo, outcome: { code: number }): Bind {
  return (action) =>
    async (...given) => {
      const command = given.at(-1) as Command;
      const options = command.optsWithGlobals<GlobalOptions>();
      const work = async (): Promise<number> => {
        await using context = await createContext(io, options);
        io.signal.throwIfAborted();
        const act = action as Action<readonly unknown[], unknown>;
        return (await act(context, options, ...given.slice(0, -2))) ?? EXIT.ok;
      };
      outcome.code = await unlessAborted(work(), io.signal, LAST_STEPS_MS);
    };
}

/** The library is loaded with the verb, not with the program. */
async function createContext(io: ProcessIo, options: GlobalOptions): Promise<Context> {
  const [{ Context }, { Settings }] = await Promise.all([import('./context.ts'), import('./settings.ts')]);
  const settings = new Settings({ url: options.url, envFile: options.envFile, env: io.env });
  return new Context(new Terminal(io, options), settings, io.signal);
}

function sayWhy(error: unknown, terminal: Terminal): void {
  const text = error instanceof Error ? error.message : String(error);
  terminal.error(text);
  if (terminal.isVerbose && error instanceof Error)
    terminal.note(terminal.onStderr('dim', error.stack ?? ''));
}
