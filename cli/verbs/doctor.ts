// `tickbus doctor`: checks the server's settings and permissions, and suggests changes.

import { TickbusError } from 'tickbus';
import { type ChannelStats, RedisAdmin } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { bundledChannel, bundledNames } from '../channel-lookup.ts';
import type { Context } from '../context.ts';
import { diagnose } from '../diagnosis/diagnose.ts';
import type { DoctorFinding, Level } from '../diagnosis/finding.ts';
import { EXIT } from '../exit.ts';
import { readStoredValues } from '../stored-values.ts';
import { type DefineVerb, examples } from '../verb.ts';

/** Further channels of venues: anybody who may publish on FEED_STATUS can name one. */
const MAX_VENUES = 50;
/** Samples of the server clock. */
const SAMPLES = 15;

export const define: DefineVerb = (command, bind) => {
  command
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `\ndoctor changes nothing on the server. Exit code 1 if a finding is FAIL, otherwise 0.\n${examples(
        ['tickbus doctor', 'check the server of REDIS_URL'],
        ['tickbus doctor --json', 'for a program'],
      )}`,
    )
    .action(bind(doctor));
};

async function doctor(context: Context, { json }: { readonly json?: boolean }): Promise<number> {
  const { terminal } = context;
  const admin = context.closing(new RedisAdmin(context.redis));
  await admin.connect();
  const server = await admin.inspect();
  const commands = await admin.commands();
  const permissions = await admin.permissions();
  const clock = await admin.clock(SAMPLES);
  const names = [...bundledNames, ...(await venueNames(context))];
  const channels = await channelsOf(admin, names, server.cluster !== undefined);
  const otherDatabases = await admin.otherDatabases(names);
  const { address, namespace } = context.settings;
  const findings = diagnose({
    server,
    commands,
    permissions,
    clock,
    channels,
    names: { database: address.db, namespace, otherDatabases },
  });
  const hasNoFailure = findings.every(({ level }) => level !== 'fail');
  if (json) terminal.line(JSON.stringify({ fit: hasNoFailure, findings, server, clock }));
  else for (const finding of findings) printFinding(context, finding);
  return hasNoFailure ? EXIT.ok : EXIT.failure;
}

/** The channels of venues whose gateways have a status. Other findings say why the statuses cannot be read. */
async function venueNames(context: Context): Promise<readonly string[]> {
  const statuses = await readStoredValues(context.connection(), CHANNELS.FEED_STATUS).catch(() => []);
  const named = statuses.map(({ envelope }) => String(envelope.data.channel ?? ''));
  const known = named.filter((name) => !bundledNames.includes(name) && bundledChannel(name) !== undefined);
  return [...new Set(known)].slice(0, MAX_VENUES);
}

/**
 * The channels with their leases; undefined if the user may not read them. Without the channels of nodes that
 * cannot be reached: other findings report those nodes.
 */
async function channelsOf(
  admin: RedisAdmin,
  names: readonly string[],
  isCluster: boolean,
): Promise<readonly ChannelStats[] | undefined> {
  if (!isCluster) return unlessDenied(admin.channels(names));
  const each = await Promise.allSettled(names.map((name) => unlessDenied(admin.channels([name]))));
  const reached = each.flatMap((stats) => (stats.status === 'fulfilled' ? [stats.value] : []));
  return reached.includes(undefined) ? undefined : reached.flatMap((stats) => stats ?? []);
}

async function unlessDenied<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof TickbusError && error.code === 'TICKBUS_DENIED') return undefined;
    throw error;
  }
}

const MARKS: Readonly<Record<Level, readonly ['green' | 'yellow' | 'red' | 'dim', string]>> = {
  ok: ['green', 'ok  '],
  warn: ['yellow', 'warn'],
  fail: ['red', 'FAIL'],
  unknown: ['dim', '?   '],
};

function printFinding({ terminal }: Context, { subject, level, found, advice }: DoctorFinding): void {
  const [style, mark] = MARKS[level];
  terminal.line(`${terminal.paint(style, mark)}  ${subject.padEnd(14)} ${found}`);
  if (advice !== undefined) terminal.line(`${' '.repeat(21)}${advice}`);
}
