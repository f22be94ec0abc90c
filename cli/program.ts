// The command line: verbs, global options, and the exit code of each outcome.

import { Command, CommanderError, Option } from 'commander';
import type { Context } from './context.ts';
import { EXIT, exitCodeOf, Interrupted, UsageError } from './exit.ts';
import { type ProcessIo, Terminal } from './terminal.ts';
import type { Bind, DefineVerb, VerbAction } from './verb.ts';
import { unlessAborted } from './waiting.ts';

export interface VerbEntry {
  readonly name: string;
  readonly summary: string;
  /** Loads the verb's module. Called only for the requested verb; `completion` loads the modules of all verbs. */
  load(): Promise<{ define: DefineVerb }>;
}

/** In the order of --help. */
export const VERBS: readonly VerbEntry[] = [
  { name: 'sub', summary: 'print messages published on channels', load: () => import('./verbs/sub.ts') },
  { name: 'pub', summary: 'publish messages on a channel', load: () => import('./verbs/pub.ts') },
  {
    name: 'price',
    summary: 'show the latest prices and their verdicts',
    load: () => import('./verbs/price.ts'),
  },
  {
    name: 'status',
    summary: 'say in one sentence what is wrong, or that all is well',
    load: () => import('./verbs/status.ts'),
  },
  { name: 'bots', summary: 'show the status of each bot', load: () => import('./verbs/bots.ts') },
  { name: 'who', summary: 'show which named programs are there', load: () => import('./verbs/who.ts') },
  { name: 'cmd', summary: 'send a command to a bot', load: () => import('./verbs/cmd.ts') },
  {
    name: 'top',
    summary: 'show rate, subscribers and gaps of every channel',
    load: () => import('./verbs/top.ts'),
  },
  {
    name: 'bench',
    summary: 'measure throughput and latency on this server',
    load: () => import('./verbs/bench.ts'),
  },
  {
    name: 'check',
    summary: 'print one status for a monitoring system',
    load: () => import('./verbs/check.ts'),
  },
  {
    name: 'doctor',
    summary: 'check the server and suggest changes',
    load: () => import('./verbs/doctor.ts'),
  },
  { name: 'record', summary: 'record published messages to a file', load: () => import('./verbs/record.ts') },
  { name: 'replay', summary: 'publish a recorded file', load: () => import('./verbs/replay.ts') },
  {
    name: 'monitor',
    summary: 'start the live monitor page',
    load: () => import('./verbs/monitor.ts'),
  },
  { name: 'config', summary: 'show each setting and its origin', load: () => import('./verbs/config.ts') },
  {
    name: 'completion',
    summary: 'print a shell completion script',
    load: () => import('./verbs/completion.ts'),
  },
];

interface GlobalOptions {
  readonly url?: string;
  readonly namespace?: string;
  readonly envFile?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Runs the command line and returns its exit code; reports a failure on stderr. */
export async function run(args: readonly string[], io: ProcessIo): Promise<number> {
  const outcome = { code: EXIT.ok as number };
  const program = createProgram(io);
  try {
    const parsed = createProgram(io);
    const { operands, unknown } = parsed.parseOptions([...args]);
    const [requested = ''] = operands;
    const isHelp = [...args, ...unknown].some((arg) => arg === '--help' || arg === '-h');
    // A broken module must hide neither the help nor the settings.
    if (requested !== 'config' && VERBS.some(({ name }) => name === requested))
      await useOwnChannels(io, parsed.opts<GlobalOptions>()).catch((error: unknown) => {
        if (!isHelp) throw error;
      });
    for (const entry of VERBS) {
      const command = program.command(entry.name).description(entry.summary);
      // A completion script lists the options of all verbs.
      if (entry.name === requested || requested === 'completion')
        (await entry.load()).define(command, binder(io, outcome));
    }
    await program.parseAsync([...args], { from: 'user' });
    return outcome.code;
  } catch (error) {
    // Commander has already reported this error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof Interrupted)) reportError(error, new Terminal(io, program.opts<GlobalOptions>()));
    return exitCodeOf(error);
  }
}

/** The program without its verbs. */
function createProgram({ stdout, stderr }: Pick<ProcessIo, 'stdout' | 'stderr'>): Command {
  return new Command('tickbus')
    .description('Command-line tool of tickbus: read, publish, measure and check channels.')
    .version(VERSION, '-V, --version', 'print the version')
    .option(
      '--url <url>',
      'address of Redis: redis://, redis+sentinel://, redis+cluster:// or unix:// (default: REDIS_URL, ...)',
    )
    .option('--namespace <name>', 'namespace of all channels, such as paper (default: TICKBUS_NAMESPACE)')
    .option(
      '--env-file <file>',
      'read variables such as REDIS_URL from this file; the environment takes precedence',
    )
    .addOption(
      new Option('-q, --quiet', 'print only data and errors, no notes or warnings').conflicts('verbose'),
    )
    .option('-v, --verbose', 'log details on stderr')
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
    .showHelpAfterError('Use --help for verbs and options.')
    .exitOverride();
}

const VERSION = '0.1.0';
/** Grace period of a verb after the signal, so that a hanging server cannot delay the exit. */
const CLEAN_UP_MS = 1_000;

/** A test compares the addresses with REDIS_URL_FORMS of the library, which --help does not load. */
const CLOSING = `
Addresses of --url and REDIS_URL:
  redis://[[user]:password@]host[:port][/db]
  redis+sentinel://[[user]:password@]host[:port][,...]/master[/db][?sentinel_password=...]
  redis+cluster://[[user]:password@]host[:port][,...]
  unix://[[user]:password@]/path/redis.sock[?db=N]
  With TLS: rediss://, rediss+sentinel://, rediss+cluster://

Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 failure, 64 usage, 124 timeout, 130 Ctrl-C.
Write times as 500ms, 2s, 1m or 1h; a plain number is seconds. Each verb has examples: tickbus sub --help
`;

function binder(io: ProcessIo, outcome: { code: number }): Bind {
  return (action) =>
    async (...args) => {
      const command = args.at(-1) as Command;
      const options = command.optsWithGlobals<GlobalOptions>();
      const work = async (): Promise<number> => {
        await using context = await createContext(io, options);
        io.signal.throwIfAborted();
        const run = action as VerbAction<readonly unknown[], unknown>;
        return (await run(context, options, ...args.slice(0, -2))) ?? EXIT.ok;
      };
      outcome.code = await unlessAborted(work(), io.signal, CLEAN_UP_MS);
    };
}

/** Loads the library with the verb, so that --help and --version start fast. */
async function createContext(io: ProcessIo, options: GlobalOptions): Promise<Context> {
  const [{ Context }, { CliSettings }] = await Promise.all([
    import('./context.ts'),
    import('./cli-settings.ts'),
  ]);
  const settings = new CliSettings({
    url: options.url,
    namespace: options.namespace,
    envFile: options.envFile,
    env: io.env,
  });
  return new Context(new Terminal(io, options), settings, io.signal);
}

/** Adds the channels of the module that TICKBUS_CHANNELS names. Loads the library only if it is set. */
async function useOwnChannels({ env }: ProcessIo, options: GlobalOptions): Promise<void> {
  const { envFile } = options;
  if (!env.TICKBUS_CHANNELS && envFile === undefined) return;
  const { CliSettings } = await import('./cli-settings.ts');
  const settings = new CliSettings({ url: options.url, namespace: options.namespace, envFile, env });
  const { value } = settings.variable('TICKBUS_CHANNELS');
  if (value === undefined) return;
  const [{ loadOwnChannels, OwnChannelsError }, { setOwnChannels }] = await Promise.all([
    import('@tickbus/operator-kit/own-channels'),
    import('./channel-lookup.ts'),
  ]);
  try {
    setOwnChannels(await loadOwnChannels(value));
  } catch (error) {
    if (!(error instanceof OwnChannelsError)) throw error;
    throw new UsageError(error.message);
  }
}

function reportError(error: unknown, terminal: Terminal): void {
  const text = error instanceof Error ? error.message : String(error);
  terminal.error(text);
  if (terminal.isVerbose && error instanceof Error)
    terminal.note(terminal.onStderr('dim', error.stack ?? ''));
}
