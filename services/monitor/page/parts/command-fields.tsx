// Inputs for the payload of a command, and the payload that they describe.

import type { CommandField, CommandForm } from '../../page-protocol.ts';
import { words } from '../display-format.ts';

/** Name of the input that has the whole payload, if the fields of a type are not known. */
const PAYLOAD = '{}';

export function CommandFields({ form: { type, fields } }: { form: CommandForm }) {
  if (fields === undefined)
    return (
      <label key={type}>
        Data
        <textarea
          name={PAYLOAD}
          rows={4}
          defaultValue="{}"
          required
          onInput={checkJson(isObject, OBJECT_RULE)}
        />
      </label>
    );
  return fields.map((field) => <LabelledField key={`${type} ${field.name}`} field={field} />);
}

/** The payload, with the `bot`. Empty fields are left out. */
export function payloadOf(element: HTMLFormElement, { fields }: CommandForm): Record<string, unknown> {
  const given = new FormData(element);
  const textOf = (name: string) => String(given.get(name) ?? '').trim();
  const bot = textOf('bot');
  if (fields === undefined) return { ...(JSON.parse(textOf(PAYLOAD)) as object), bot };
  const values = fields
    .map(({ name, kind }) => [name, kind, textOf(name)] as const)
    .filter(([, , text]) => text !== '')
    .map(([name, kind, text]) => [name, fieldValue(kind, text)] as const);
  return { bot, ...Object.fromEntries(values) };
}

function LabelledField({ field }: { field: CommandField }) {
  const { name, isRequired } = field;
  const id = `field-${name}`;
  return (
    <label htmlFor={id}>
      {words(name)}
      {isRequired ? '' : ' (optional)'}
      <Input id={id} field={field} />
    </label>
  );
}

function Input({ id, field }: { id: string; field: CommandField }) {
  const { name, kind, isRequired, min, choices = BOOLEANS } = field;
  const common = { id, name, required: isRequired };
  switch (kind) {
    case 'number':
      return <input type="number" step="any" min={min} {...common} />;
    case 'text':
      return <input autocomplete="off" {...common} />;
    case 'json':
      return (
        <input autocomplete="off" placeholder="JSON" {...common} onInput={checkJson(() => true, JSON_RULE)} />
      );
    default:
      return (
        <select {...common}>
          {!isRequired && <option value="" />}
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      );
  }
}

const BOOLEANS = ['true', 'false'];
const JSON_RULE = 'Write JSON, for example "text", 5 or [1, 2].';
const OBJECT_RULE = 'Write a JSON object, for example {"size": 5}.';

function fieldValue(kind: CommandField['kind'], text: string): unknown {
  if (kind === 'number') return Number(text);
  return kind === 'json' || kind === 'boolean' ? JSON.parse(text) : text;
}

/** The browser refuses to submit the form while the rule is its message. */
function checkJson(accepts: (value: unknown) => boolean, rule: string) {
  return ({ currentTarget }: { currentTarget: HTMLInputElement | HTMLTextAreaElement }) => {
    const { value } = currentTarget;
    currentTarget.setCustomValidity(value.trim() === '' || isJson(value, accepts) ? '' : rule);
  };
}

function isJson(text: string, accepts: (value: unknown) => boolean): boolean {
  try {
    return accepts(JSON.parse(text));
  } catch {
    return false;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
