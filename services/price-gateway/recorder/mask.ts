// Masks secrets in frames before they are recorded.

import type { RawFrame } from '../feeds/feed.ts';

const MASK = '***';
/** Fields that contain a secret in any message. */
const SECRET_FIELD =
  /secret|passw|passphrase|token|signature|^sign$|^api_?-?key$|^key$|jwt|credential|listen_?key/i;
/** Fields that contain the type of a message. */
const NAMING_FIELD = /^(op|action|method|type|event|cmd|command|request|T|e)$/;
/** Message types that authenticate the client. */
const LOGIN = /\b(auth\w*|log-?[io]n|sign-?in)\b/i;
/** Shorter secrets would match unrelated text. */
const MIN_SECRET_LENGTH = 4;

/**
 * Masks all known secrets in the JSON of a frame. In frames to the broker it also masks fields whose name denotes a
 * secret. In a login it masks every value except the message type, because secrets can be list items without a name.
 */
export class Masker {
  readonly #secrets: readonly string[];

  /** @param secrets the secret values of the settings */
  constructor(secrets: readonly string[]) {
    const known = secrets.filter((secret) => secret.length >= MIN_SECRET_LENGTH);
    // Escapes each secret as in a JSON string, because frames contain it in this form.
    this.#secrets = known.map((secret) => JSON.stringify(secret).slice(1, -1));
  }

  mask({ dir, json }: RawFrame): string {
    const text = dir === 'out' ? JSON.stringify(withoutSecrets(JSON.parse(json))) : json;
    if (!this.#secrets.some((secret) => text.includes(secret))) return text;
    const masked = this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, MASK), text);
    return isJson(masked) ? masked : JSON.stringify(MASK);
  }
}

/** The texts that are masked in a frame to the broker. */
export function secretsIn(frame: unknown): readonly string[] {
  const secrets: string[] = [];
  redact(frame, hiddenFieldsOf(frame), (value) => {
    if (typeof value === 'string') secrets.push(value);
  });
  return secrets;
}

function withoutSecrets(frame: unknown): unknown {
  return redact(frame, hiddenFieldsOf(frame));
}

function hiddenFieldsOf(frame: unknown): (field: string) => boolean {
  return isLogin(frame) ? (field) => !NAMING_FIELD.test(field) : (field) => SECRET_FIELD.test(field);
}

/** Whether a string, a list item or a type field at any depth marks the frame as a login. */
function isLogin(value: unknown, field = 'type'): boolean {
  if (typeof value === 'string') return NAMING_FIELD.test(field) && LOGIN.test(value);
  if (Array.isArray(value)) return value.some((one) => isLogin(one, field));
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, one]) => isLogin(one, name));
}

/** A copy with the values of hidden fields masked, at any depth. */
function redact(
  value: unknown,
  isHidden: (field: string) => boolean,
  onHidden: (value: unknown) => void = () => {},
  field = '',
): unknown {
  if (Array.isArray(value)) return value.map((one) => redact(one, isHidden, onHidden, field));
  if (typeof value !== 'object' || value === null) {
    if (!isHidden(field)) return value;
    onHidden(value);
    return MASK;
  }
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([name, one]) => [name, redact(one, isHidden, onHidden, name)]));
}

/** Used after masking: a mask inside a number makes the JSON invalid. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
