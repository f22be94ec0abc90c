// Last values as the checks read them.

import type { StoredValue } from '../stored-values.ts';

export function stored(data: Record<string, unknown>, ageMs: number): StoredValue {
  return { key: 'k', ageMs, envelope: { message_type: 'x', data, timestamp: 0, sender: 's' } };
}
