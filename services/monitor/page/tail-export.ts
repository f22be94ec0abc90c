// Messages of the tail as JSON lines, for the clipboard or a file.

import { signal } from '@preact/signals';
import type { TailMessage } from '../page-protocol.ts';
import { count } from './display-format.ts';

/** What became of the last attempt to copy. */
export const copied = signal('');

export async function copy(messages: readonly TailMessage[]): Promise<void> {
  try {
    await navigator.clipboard.writeText(linesOf(messages));
    copied.value = `${count(messages.length)} copied.`;
  } catch {
    // A clipboard is for pages of this machine, and of https.
    copied.value = 'The browser does not let this page copy. Use Export.';
  }
}

/** As a file that the browser saves. */
export function save(messages: readonly TailMessage[]): void {
  const url = URL.createObjectURL(new Blob([linesOf(messages)], { type: 'application/x-ndjson' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `tickbus-${new Date().toISOString().replaceAll(':', '-')}.jsonl`;
  link.click();
  URL.revokeObjectURL(url);
}

export function recordOf({ at, channel, type, sender, seq, snapshot, data }: TailMessage) {
  return { received_at: at, channel, message_type: type, sender, seq, snapshot, data: parsed(data) };
}

/** One JSON object a line. */
function linesOf(messages: readonly TailMessage[]): string {
  return messages.map((message) => `${JSON.stringify(recordOf(message))}\n`).join('');
}

/** A payload that was cut is no JSON any more, and stays text. */
function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
