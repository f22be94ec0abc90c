// Namespaces: a prefix of all names on the server, so that several desks on one server never hear each other.

import { TickbusError } from '../errors.ts';
import { describe } from '../runtime/option-checks.ts';
import type { ChannelSpec } from './channel.ts';

/** The name of a channel on the server: `paper:PRICE_DATA` in the namespace `paper`. */
export function nameIn(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}:${name}`;
}

/** The opposite of `nameIn`; undefined for a name outside the namespace. Without a namespace, every name is inside. */
export function nameWithout(namespace: string | undefined, name: string): string | undefined {
  if (namespace === undefined) return name;
  return name.startsWith(`${namespace}:`) ? name.slice(namespace.length + 1) : undefined;
}

/** Returns the spec of a channel with its name on the server. A spec is renamed once. */
export type SpecIn = (spec: ChannelSpec) => ChannelSpec;

export function specIn(namespace: string | undefined): SpecIn {
  if (namespace === undefined) return (spec) => spec;
  const renamed = new WeakMap<ChannelSpec, ChannelSpec>();
  return (spec) => {
    let known = renamed.get(spec);
    if (known === undefined) {
      known = Object.freeze({ ...spec, name: nameIn(namespace, spec.name) });
      renamed.set(spec, known);
    }
    return known;
  };
}

const MAX_LENGTH = 64;
/** The prefix of the leases of jobs (`jobSpec`). */
const JOBS = 'job';

/**
 * A namespace has 1 to 64 letters, digits, "-", "_" and ".". So it can be written in an ACL pattern as it is.
 *
 * @param field names the option or variable in errors
 * @throws TickbusError `TICKBUS_INVALID_OPTION`
 */
export function checkedNamespace(namespace: unknown, field: string): string {
  const problem = faultOf(namespace);
  if (problem === undefined) return namespace as string;
  const text = `${field} ${problem}. Use 1 to ${MAX_LENGTH} letters, digits, "-", "_" and ".", as in "paper".`;
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
}

function faultOf(namespace: unknown): string | undefined {
  if (typeof namespace !== 'string') return `is ${describe(namespace)}, not a namespace`;
  if (namespace === '') return 'is empty. Omit it to use no namespace';
  if (namespace.length > MAX_LENGTH) return `has ${namespace.length} characters`;
  if (namespace.includes(':')) return 'contains a colon, which tickbus adds by itself';
  if (/[{}]/.test(namespace)) return 'contains a brace, which marks the slot of a key in a cluster';
  if (!/^[A-Za-z0-9._-]+$/.test(namespace)) return 'contains a character that a namespace cannot have';
  return namespace === JOBS ? `is "${JOBS}", the prefix of the leases of jobs` : undefined;
}
