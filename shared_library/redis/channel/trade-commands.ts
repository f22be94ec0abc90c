// TRADE_COMMANDS: the bundled types of commands, and those that a bot adds.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { type Channel, defineChannel } from './channel.ts';
import { checkedTypes, invalid } from './definition-checks.ts';
import type { MessageSchemas } from './kinds.ts';
import { commandResult } from './schemas/command-result.ts';
import { botName, cancelAll, cancelOrder, pause, placeOrder, resume } from './schemas/trade-command.ts';

const BUNDLED = { place_order: placeOrder, cancel_order: cancelOrder, cancel_all: cancelAll, pause, resume };

/** The bundled command types. */
type BundledCommands = typeof BUNDLED;

/** Schemas of own command types. Their payloads are objects. */
export type CommandSchemas = Readonly<Record<string, StandardSchemaV1<object, object>>>;

/** A payload with the field `bot`. Schemas describe a payload without fields as one whose fields have no value. */
export type WithBot<T> = T extends Readonly<Record<string, never>> ? { bot: string } : T & { bot: string };

/** An own command type with the field `bot`, the name of the bot that the command is for. */
type ForBot<S extends StandardSchemaV1> = StandardSchemaV1<
  WithBot<StandardSchemaV1.InferInput<S>>,
  WithBot<StandardSchemaV1.InferOutput<S>>
>;

interface JsonObjectSchema {
  readonly properties?: object;
  readonly required?: readonly string[];
}

/** TRADE_COMMANDS with the bundled types and the own types `M`. */
export type TradeCommands<M extends CommandSchemas = Record<never, never>> = Channel<
  BundledCommands & { readonly [T in keyof M]: ForBot<M[T]> },
  'place_order',
  { readonly command_result: typeof commandResult }
>;

/** Outcomes of commands: `CHANNELS.COMMAND_RESULTS`. */
export const COMMAND_RESULTS = defineChannel('COMMAND_RESULTS', {
  kind: 'event',
  key: 'bot',
  history: 1_000,
  messages: { command_result: commandResult },
});

/**
 * The channel TRADE_COMMANDS with the bundled types and own ones. Programs that do not know an own type ignore it, if
 * they subscribe with `keys` or `types`.
 *
 * @param own a schema for each own type, without the field `bot`, which every command gets
 * @throws TickbusError `TICKBUS_INVALID_OPTION` for a bundled name, an invalid name, or a value that is no Standard
 *   Schema
 *
 * @example
 * const commands = tradeCommands({ set_size: z.object({ size: z.number() }) });
 * await publisher.ask(commands, { bot: 'momentum', size: 5 }, { type: 'set_size' });
 */
export function tradeCommands<const M extends CommandSchemas = Record<never, never>>(
  own?: M,
): TradeCommands<M> {
  const types = Object.entries(own ?? {});
  const bundled = types.find(([type]) => Object.hasOwn(BUNDLED, type));
  if (bundled !== undefined)
    throw invalid('TRADE_COMMANDS', `has the bundled type "${bundled[0]}" already. Use another name.`);
  checkedTypes('TRADE_COMMANDS', { ...BUNDLED, ...own }, undefined);
  const added = Object.fromEntries(types.map(([type, schema]) => [type, forBot(schema)]));
  const channel = defineChannel('TRADE_COMMANDS', {
    kind: 'command',
    key: 'bot',
    expiresInMs: 30_000,
    defaultType: 'place_order',
    messages: { ...BUNDLED, ...added },
    answers: COMMAND_RESULTS,
  });
  return channel as Channel as TradeCommands<M>;
}

/** Checks `bot` itself, because the own schema may be of any vendor, and may reject or remove unknown fields. */
function forBot(schema: MessageSchemas[string]): StandardSchemaV1 {
  const validate = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return { issues: [{ message: 'must be an object' }] };
    const { bot, ...fields } = value as Record<string, unknown>;
    const name = botName['~standard'].validate(bot);
    if ('issues' in name && name.issues) return { issues: withPath(name.issues) };
    const result = schema['~standard'].validate(fields);
    if (!('value' in result) || result.issues) return result;
    return { value: Object.assign({}, result.value, { bot }) };
  };
  const { jsonSchema } = schema['~standard'] as Partial<StandardJSONSchemaV1.Props>;
  const described = jsonSchema === undefined ? {} : { jsonSchema: describedForBot(jsonSchema) };
  return { '~standard': { version: 1, vendor: 'tickbus', validate, ...described } };
}

/** Adds the field `bot` to the JSON Schema of an own type, for tools that show the fields of a command. */
function describedForBot({ input, output }: StandardJSONSchemaV1.Converter): StandardJSONSchemaV1.Converter {
  const withBot = ({ properties, required, ...rest }: JsonObjectSchema) => ({
    ...rest,
    properties: { bot: { type: 'string', minLength: 1, maxLength: 128 }, ...properties },
    required: ['bot', ...(required ?? [])],
  });
  return { input: (options) => withBot(input(options)), output: (options) => withBot(output(options)) };
}

function withPath(issues: readonly StandardSchemaV1.Issue[]): readonly StandardSchemaV1.Issue[] {
  return issues.map(({ message }) => ({ message, path: ['bot'] }));
}
