// `tickbus check`: one line and one exit code for a monitoring system: 0 ok, 1 warning, 2 critical, 3 unknown.

import { Argument, Option } from 'commander';
import type { Channel, Presence } from 'tickbus';
import { printable, RedisAdmin } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { presenceList } from 'tickbus/presence';
import { readAdopterSilence } from '../adopter-silence.ts';
import { knownChannel, unknownChannel } from '../channel-lookup.ts';
import { FORMATS, type Format } from '../check-formats.ts';
import {
  type CheckLimits,
  type CheckResult,
  checkBot,
  checkDefinition,
  checkFeed,
  checkGateway,
  checkLatency,
  checkNewest,
  combinedResult,
  isFeedNamed,
  STATUS_CODES,
} from '../checks.ts';
import type { Context } from '../context.ts';
import { unlessDenied } from '../diagnosis/server-facts.ts';
import { UsageError } from '../exit.ts';
import { duration, timeoutOption } from '../option-parsers.ts';
import { readStoredValues, type StoredValue } from '../stored-values.ts';
import { type DefineVerb, examples } from '../verb.ts';
import { withinTimeout } from '../waiting.ts';

interface CheckOptions {
  readonly warn?: number;
  readonly critical?: number;
  readonly timeout: number;
  readonly format: Format;
}

const SUBJECTS = ['redis', 'feed', 'gateway', 'bot', 'channel'] as const;
type Subject = (typeof SUBJECTS)[number];

export const define: DefineVerb = (command, bind) => {
  command
    .addArgument(new Argument('<subject>', 'what to check').choices(SUBJECTS))
    .argument('[name]', 'the bot, the channel, or one feed or its channel (default: all feeds)')
    .option('--warn <time>', 'warning above this latency or age', duration)
    .option('--critical <time>', 'critical above this latency or age', duration)
    .addOption(timeoutOption('time limit; beyond it the status is unknown, for redis critical'))
    .addOption(new Option('--format <format>').choices(Object.keys(FORMATS)).default('text'))
    .addHelpText('after', HELP)
    .action(bind(check));
};

const HELP = `
redis     latency of the server (warning above 100 ms, critical above 1 s)
gateway   age of the gateway's last heartbeat (3 and 10 of its intervals), and whether the gateway is stopped
feed      state of the broker connection, and age of the last frame (15 s, 60 s)
bot NAME  whether the bot is there, and only once; age of its last status (3 and 10 of its intervals), and its state
channel NAME  age of the newest stored message of a state channel, or of an event channel with history (no default),
              and whether its writer defines it in another way

A channel, gateway, feed or bot without a status on this Redis is critical.

Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown, 64 usage error.
${examples(
  ['tickbus check redis', 'does Redis reply?'],
  ['tickbus check gateway --warn 2s --critical 5s', 'does the gateway send heartbeats?'],
  ['tickbus check bot paper-trader --format nagios', 'for Nagios, Icinga, Zabbix'],
  ['tickbus check feed PRICE_DATA', 'the feed of one channel'],
  ['tickbus check feed --format prometheus', "for the node exporter's textfile collector"],
)}`;

async function check(
  context: Context,
  options: CheckOptions,
  subject: Subject,
  name: string | undefined,
): Promise<number> {
  const { warn: warnMs, critical: criticalMs, timeout, format } = options;
  if (warnMs !== undefined && criticalMs !== undefined && warnMs > criticalMs)
    throw new UsageError('--warn is above --critical. Set --warn to the smaller time.');
  if (subject === 'bot' && name === undefined)
    throw new UsageError(
      `Name the bot, as in: tickbus check bot momentum${await knownBots(context, timeout)}`,
    );
  if (subject === 'channel') checkStoring(name);
  if (subject === 'redis' && name !== undefined)
    throw new UsageError(
      'check redis takes no name: it checks the Redis of --url or REDIS_URL. Omit the name.',
    );
  const result = await withinTimeout(
    context.signal,
    timeout,
    checkSubject(context, subject, name, { warnMs, criticalMs }),
  ).catch((error: unknown) => {
    context.signal.throwIfAborted();
    return failed(subject, error);
  });
  context.terminal.line(FORMATS[format]({ ...result, check: subject, name }));
  return STATUS_CODES[result.status];
}

/** If Redis is unreachable, `check redis` is critical and the other subjects are unknown. */
function failed(subject: Subject, error: unknown): CheckResult {
  const { message } = error as Error;
  const summary = message.replace(/\.$/, '');
  return { status: subject === 'redis' ? 'critical' : 'unknown', summary, metrics: [] };
}

async function checkSubject(
  context: Context,
  subject: Subject,
  name: string | undefined,
  limits: CheckLimits,
): Promise<CheckResult> {
  switch (subject) {
    case 'redis': {
      const admin = context.closing(new RedisAdmin(context.redis));
      await admin.connect();
      const { roundTripsMs } = await admin.clock(1);
      return checkLatency(roundTripsMs[0] ?? 0, limits);
    }
    case 'gateway':
      return checkStored(context, CHANNELS.FEED_STATUS, name, () => (value) => checkGateway(value, limits));
    case 'feed':
      return checkStored(context, CHANNELS.FEED_STATUS, name, () => (value) => checkFeed(value, limits));
    case 'channel': {
      const channel = checkStoring(name);
      const connection = context.connection();
      const newest = checkNewest(await readStoredValues(connection, channel), channel.name, limits);
      const definition = checkDefinition(channel, await connection.subscribing.head(channel));
      return definition === undefined ? newest : combinedResult([definition, newest]);
    }
    case 'bot':
      return checkStored(context, CHANNELS.BOT_STATUS, name, async () => {
        const present = await unlessDenied<Presence[]>(presenceList(context.connection()));
        const silenceMs = await readAdopterSilence(context.connection(), present);
        return (value) => checkBot(value, limits, present, silenceMs);
      });
  }
}

/** The bots that have reported, to choose from; empty if that cannot be read. */
async function knownBots(context: Context, timeoutMs: number): Promise<string> {
  const reading = readStoredValues(context.connection(), CHANNELS.BOT_STATUS);
  const values = await withinTimeout(context.signal, timeoutMs, reading).catch(() => []);
  context.signal.throwIfAborted();
  if (values.length === 0) return '';
  return `. These have reported: ${values.map(({ key }) => printable(key)).join(', ')}`;
}

/** @throws UsageError unless it is the name of a channel that stores messages */
function checkStoring(name: string | undefined): Channel {
  if (name === undefined) throw new UsageError('Name the channel, as in: tickbus check channel BOT_STATUS');
  const channel = knownChannel(name);
  if (channel === undefined) throw unknownChannel(name);
  if (channel.kind === 'state' || channel.history > 0) return channel;
  throw new UsageError(`${channel} stores no messages, so their age is not known. Give it a history.`);
}

type Judge = (value: StoredValue) => CheckResult;

/**
 * @param newJudge called after the values were read: a bot that starts in between is there when its presence is read
 *   and not called gone, and one that ends is not called running
 */
async function checkStored(
  context: Context,
  channel: Channel,
  name: string | undefined,
  newJudge: () => Judge | Promise<Judge>,
): Promise<CheckResult> {
  const values = await readStoredValues(context.connection(), channel);
  const isSelected = (value: StoredValue) =>
    name === undefined ||
    value.key === name ||
    (channel === CHANNELS.FEED_STATUS && isFeedNamed(value, name));
  const selected = values.filter(isSelected);
  if (selected.length > 0) return combinedResult(selected.map(await newJudge()));
  const summary = name === undefined ? `No status on ${channel}` : `No status of ${name} on ${channel}`;
  return { status: 'critical', summary, metrics: [] };
}
