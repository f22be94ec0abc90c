// Takes secrets out of frames before they are written down.

import type { RawFrame } from '../feeds/feed.ts';

const MASK = '***';
/** Fields that hold a secret, whatever the message is about. */
const SECRET_FIELD =
  /secret|passw|passphrase|token|signature|^sign$|^api_?-?key$|^key$|jwt|credential|listen_?key/i;
/** Fields in which a message says what it is. */
const NAMING_FIELD = /^(op|action|method|type|event|cmd|command|request|T|e)$/;
/** A message whose purpose is to show who we are. */
const LOGIN = /\b(auth\w*|log-?[io]n|sign-?in)\b/i;
/** Shorter ones would be found everywhere. */
const MIN_SECRET_LENGTH = 4;

/**
 * The JSON of a frame without secrets. Of what goes to the broker: fields that are named as secrets are, and every value of a
 * login, whose secrets can stand in a list without a name. In both directions: the secrets that are known.
 */
export class Masker {
  readonly #secrets: readonly string[];

  /** @param secrets as they are in the settings */
  constructor(secrets: readonly string[]) {
    const known = secrets.filter((secret) => secret.length >= MIN_SECRET_LENGTH);
    // As they stand in JSON.
    this.#secrets = known.map((secret) => JSON.stringify(secret).slice(1, -1));
  }

  mask({ dir, json }: RawFrame): string {
    const text = dir === 'out' ? JSON.stringify(withoutSecrets(JSON.parse(json))) : json;
    if (!this.#secrets.some((secret) => text.includes(secret))) return text;
    const masked = this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, MASK), text);
    return isJson(masked) ? masked : JSON.stringify(MASK);
  }
}

function withoutSecrets(frame: unknown): unknown {
  if (!isLogin(frame)) return redact(frame, (field) => SECRET_FIELD.test(field));
  return redact(frame, (field) => !NAMING_FIELD.test(field));
}

/** Whether it says so itself, in a list, or in a field that names it, however deep. */
function isLogin(value: unknown, field = 'type'): boolean {
  if (typeof value === 'string') return NAMING_FIELD.test(field) && LOGIN.test(value);
  if (Array.isArray(value)) return value.some((one) => isLogin(one, field));
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, one]) => isLogin(one, name));
}

/** A copy with every value masked whose field is to be hidden, however deep. */
function redact(value: unknown, isHidden: (field: string) => boolean, field = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => redact(one, isHidden, field));
  if (typeof value !== 'object' || value === null) return isHidden(field) ? MASK : value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, redact(one, isHidden, name)]));
}

/** A secret that is a number can be part of another one, outside of a text. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
