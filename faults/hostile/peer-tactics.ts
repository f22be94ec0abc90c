// What a hostile peer with the rights of a bot publishes. Every choice comes from a seeded generator.

import type { Random } from '@tickbus/test-kit/random';

/** What the peer knows about TRADE_COMMANDS. */
export interface Observed {
  /** The head of the channel: the position of its latest message. */
  readonly epoch: number;
  readonly seq: number;
  /** The last message of the operator; undefined before the first. */
  readonly last: string | undefined;
  /** How many messages the peer has published since it read the head. */
  readonly nth: number;
}

interface Attack {
  readonly channel: string;
  readonly payload: Buffer;
}

type Tactic = (random: Random, observed: Observed, bot: string) => Attack;

/** Length of the largest text that fits in a message together with the other fields. */
const LARGEST_TEXT = 255 * 1024;
const MB = 2 ** 20;
const COMMANDS = 'TRADE_COMMANDS';
const STATUSES = 'BOT_STATUS';
const CHANNELS = [COMMANDS, STATUSES, 'COMMAND_RESULTS'] as const;

/** Forged commands: with the next numbers, with numbers near or far above the head, or in another epoch. */
const numbers: Tactic = (random, { epoch, seq, nth }, bot) => {
  const place = random.int(0, 19);
  if (place < 12) return command({ bot, position: { epoch, seq: seq + 1 + nth } });
  if (place < 17) return command({ bot, position: { epoch, seq: Math.max(0, seq + random.int(-3, 20)) } });
  if (place === 17) return command({ bot, position: { epoch, seq: seq + random.int(1_000, 1_000_000_000) } });
  const other = Math.max(0, epoch + random.pick([-1, 1, 2, 1_000_000_000]));
  return command({ bot, position: { epoch: other, seq: random.int(0, 100) } });
};

/** The operator's last message again, with its original or another number. */
const copies: Tactic = (random, observed, bot) => {
  const { epoch, seq, last } = observed;
  if (last === undefined) return numbers(random, observed, bot);
  const copy = JSON.parse(last) as Record<string, unknown>;
  if (random.percent(70)) Object.assign(copy, { epoch, seq: seq + random.int(0, 5) });
  return { channel: COMMANDS, payload: json(copy) };
};

/** Valid commands without numbers, as any plain client may send them. */
const unnumbered: Tactic = (_random, _observed, bot) => command({ bot });

/** Frames (JSON arrays) with many, deeply nested, mixed or no documents. */
const frames: Tactic = (random, { epoch, seq }, bot) => {
  const channel = random.pick(CHANNELS);
  const size = random.pick([1_000, 100_000, MB - 2]);
  const fill = (item: string) =>
    `[${Array(Math.floor(size / (item.length + 1)))
      .fill(item)
      .join(',')}]`;
  const valid = String(command({ bot, position: { epoch, seq: seq + 1 } }).payload);
  const deep = `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`;
  const text = random.pick([
    fill('{}'),
    fill('[]'),
    fill('{"a":1}'),
    fill(valid),
    `[${valid},${deep},${valid}]`,
    `[${' '.repeat(size - 2)}]`,
    `${'['.repeat(size / 2)}${']'.repeat(size / 2)}`,
    fill(`{"${'k'.repeat(random.int(1, 40))}":"${'v'.repeat(random.int(0, 40))}"}`),
  ]);
  return { channel, payload: Buffer.from(text) };
};

/** Long texts in fields that are short in every real message. */
const strings: Tactic = (random, _observed, bot) => {
  const letter = random.pick(['x', '\u0000', '"', '\u202e', '\u001b[2J']);
  const long = letter.repeat(random.int(1, LARGEST_TEXT / (JSON.stringify(letter).length + 1)));
  const name = `${random.int(0, 1_000_000_000)}${long}`;
  switch (random.int(0, 3)) {
    case 0:
      return status({ bot: `invented-${random.int(0, 1_000_000)}`, sender: name });
    case 1:
      return command({ bot, sender: name });
    case 2:
      return command({ bot, id: name });
    default:
      return { channel: STATUSES, payload: json({ ...envelope('x'), message_type: name, data: {} }) };
  }
};

/** Statuses of bots that do not exist. */
const bots: Tactic = (random) => status({ bot: `invented-${random.int(0, 1_000_000)}`, sender: 'invented' });

const FRAGMENTS = [
  '{"message_type":',
  '"data":{',
  '"__proto__":{"a":1}',
  '"constructor":1',
  '1e400',
  '-0',
  '9007199254740993',
  '\ufeff',
  '\ud800',
  '}',
  ']',
  '[',
  '{',
  ',',
  '"',
  '\\u0000',
  'null',
  'NaN',
] as const;

/** Bytes that are not a message. */
const garbage: Tactic = (random) => {
  const channel = random.pick(CHANNELS);
  if (random.percent(30))
    return {
      channel,
      payload: Buffer.from(Array.from({ length: random.int(0, 300) }, () => random.int(0, 255))),
    };
  const text = Array.from({ length: random.int(1, 30) }, () => random.pick(FRAGMENTS)).join('');
  return { channel, payload: Buffer.from(random.percent(5) ? text.repeat(1_000) : text) };
};

export const PEER_TACTICS = { numbers, copies, unnumbered, frames, strings, bots, garbage };
export type PeerTactic = keyof typeof PEER_TACTICS;

interface CommandOptions {
  readonly bot: string;
  readonly sender?: string;
  readonly id?: string;
  readonly position?: { readonly epoch: number; readonly seq: number };
}

let forged = 0;

function command({ bot, sender = 'hostile', id = `forged-${forged++}`, position }: CommandOptions): Attack {
  const data = { bot, reason: 'forged' };
  return {
    channel: COMMANDS,
    payload: json({ ...position, ...envelope(sender), message_type: 'resume', data, id }),
  };
}

function status({ bot, sender }: { bot: string; sender: string }): Attack {
  return {
    channel: STATUSES,
    payload: json({ ...envelope(sender), message_type: 'bot_status', data: { bot, state: 'running' } }),
  };
}

function envelope(sender: string) {
  return { timestamp: Date.now(), sender };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
