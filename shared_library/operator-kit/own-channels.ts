// Channels of the user, from the module that TICKBUS_CHANNELS names.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Channel, TradeCommands } from 'tickbus';
import { printable } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';

/** The module cannot be used. The message says why, and what to do. */
export class OwnChannelsError extends Error {
  override readonly name = 'OwnChannelsError';
}

const BUNDLED: readonly Channel[] = Object.values(CHANNELS);

/**
 * Imports a module and returns the channels among its exports. A channel named TRADE_COMMANDS, made by
 * `tradeCommands()`, replaces the bundled one.
 *
 * @param file path of the module, relative to the working directory
 * @throws OwnChannelsError if the module is missing, throws, exports no channel, or exports one that cannot be added
 */
export async function loadOwnChannels(file: string): Promise<readonly Channel[]> {
  const path = resolve(file);
  const fail = (text: string, cause?: unknown) =>
    new OwnChannelsError(`The module of TICKBUS_CHANNELS, ${printable(file, 500)}, ${text}`, { cause });
  if (!existsSync(path))
    throw fail(`does not exist (${printable(path, 500)}). Correct the path, or unset TICKBUS_CHANNELS.`);
  const exported = await exportsOf(path).catch((cause: unknown) => {
    throw fail(reasonOf(cause), cause);
  });
  // A module may export one channel under two names.
  const channels = [...new Set(Object.values(exported).filter(isChannel))];
  if (channels.length === 0)
    throw fail('exports no channel. Export channels that defineChannel() or tradeCommands() has made.');
  for (const channel of channels) {
    const fault = faultOf(channel, channels);
    if (fault !== undefined) throw fail(fault);
  }
  return channels;
}

/** The bundled channels and the own ones. An own one replaces the bundled one of its name. */
export function withOwnChannels(own: readonly Channel[]): readonly Channel[] {
  const names = new Set(own.map(({ name }) => name));
  return [...BUNDLED.filter(({ name }) => !names.has(name)), ...own];
}

/** TRADE_COMMANDS with the own types of commands, if there are any. The compiler does not know these. */
export function commandsAmong(own: readonly Channel[]): TradeCommands {
  const { TRADE_COMMANDS } = CHANNELS;
  return (
    (own.find(({ name }) => name === TRADE_COMMANDS.name) as TradeCommands | undefined) ?? TRADE_COMMANDS
  );
}

async function exportsOf(path: string): Promise<Readonly<Record<string, unknown>>> {
  return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
}

function reasonOf(cause: unknown): string {
  if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return (
      `cannot be loaded: Node.js ${process.versions.node} does not load TypeScript. Use Node.js 22.18 or newer, ` +
      'set NODE_OPTIONS="--import tsx" with tsx installed, or name a module in JavaScript.'
    );
  const reason = cause instanceof Error ? cause.message : String(cause);
  return `cannot be loaded: ${printable(reason, 1_000).replace(/\.$/, '')}. Correct the module.`;
}

/** By its members, because the module may import another copy of the library. */
function isChannel(value: unknown): value is Channel {
  if (typeof value !== 'object' || value === null) return false;
  const { name, kind, messages, defaultType, keyOf } = value as Partial<Channel>;
  const hasTexts = [name, kind, defaultType].every((text) => typeof text === 'string');
  return hasTexts && typeof messages === 'object' && messages !== null && typeof keyOf === 'function';
}

function faultOf(channel: Channel, channels: readonly Channel[]): string | undefined {
  const { name } = channel;
  if (channels.some((other) => other !== channel && other.name === name))
    return `exports two channels named ${name}. Remove one of them.`;
  const bundled = BUNDLED.find((known) => known.name === name);
  if (bundled === undefined) return undefined;
  if (bundled !== CHANNELS.TRADE_COMMANDS)
    return `exports ${name}, which is a bundled channel. Use another name, or do not export it.`;
  const hasAll = Object.keys(bundled.messages).every((type) => Object.hasOwn(channel.messages, type));
  return hasAll && channel.kind === bundled.kind
    ? undefined
    : `exports ${name} without the bundled types. Make it with tradeCommands().`;
}
