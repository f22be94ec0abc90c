// The fields of each command type, from the JSON Schema of its Standard Schema.

import type { Channel } from 'tickbus';
import type { CommandField, CommandForm } from './page-protocol.ts';

/** A Standard Schema whose vendor offers JSON Schema: https://standardschema.dev/json-schema */
interface Described {
  readonly jsonSchema?: { input(options: { readonly target: 'draft-2020-12' }): JsonSchema };
}

interface JsonSchema {
  readonly type?: unknown;
  readonly enum?: unknown;
  readonly const?: unknown;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  /** A schema, or `true`: other names are allowed. */
  readonly additionalProperties?: unknown;
}

/**
 * Returns a form for each type of a command channel: the default type last, because it has the largest effect. A schema
 * without JSON Schema, or one of anything other than one object with named fields, has no `fields`.
 */
export function commandForms({ messages, defaultType }: Channel): readonly CommandForm[] {
  const types = Object.keys(messages).sort((a, b) => Number(a === defaultType) - Number(b === defaultType));
  return types.map((type) => {
    const fields = fieldsOf(jsonSchemaOf((messages[type]?.['~standard'] ?? {}) as Described));
    return fields === undefined ? { type } : { type, fields };
  });
}

function jsonSchemaOf({ jsonSchema }: Described): JsonSchema | undefined {
  try {
    return jsonSchema?.input({ target: 'draft-2020-12' });
  } catch {
    // The vendor throws for what JSON cannot express, such as a Date.
    return undefined;
  }
}

function fieldsOf(schema: JsonSchema | undefined): readonly CommandField[] | undefined {
  if (schema?.type !== 'object' || schema.properties === undefined) return undefined;
  // Alternatives and conditions of the whole object cannot be shown as fields.
  if (['anyOf', 'oneOf', 'allOf', '$ref', 'if'].some((word) => Object.hasOwn(schema, word))) return undefined;
  const { required = [], additionalProperties = false } = schema;
  if (additionalProperties !== false) return undefined;
  return Object.entries(schema.properties)
    .filter(([name]) => name !== 'bot')
    .map(([name, field]) => ({ name, isRequired: required.includes(name), ...inputOf(field) }));
}

function inputOf(field: JsonSchema): Pick<CommandField, 'kind' | 'choices' | 'min'> {
  const choices = Object.hasOwn(field, 'const') ? [field.const] : field.enum;
  if (Array.isArray(choices)) return choices.every(isText) ? { kind: 'choice', choices } : { kind: 'json' };
  switch (field.type) {
    case 'string':
      return { kind: 'text' };
    case 'number':
    case 'integer':
      return { kind: 'number', ...minimumOf(field) };
    case 'boolean':
      return { kind: 'boolean' };
    default:
      return { kind: 'json' };
  }
}

/** An exclusive limit is shown as an inclusive one; the schema rejects the limit itself. */
function minimumOf({ minimum, exclusiveMinimum }: JsonSchema): Pick<CommandField, 'min'> {
  const min = minimum ?? exclusiveMinimum;
  return min === undefined ? {} : { min };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
