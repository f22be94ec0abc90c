// Exports tail messages as JSON lines, to the clipboard or a file.

import { signal } from '@preact/signals';
import type { TailMessage } from '../api-protocol.ts';
import { count } from './display-format.ts';

/** Result of the last copy, for display. */
export const copyStatus = signal('');

export async function copy(messages: readonly TailMessage[]): Promise<void> {
  try {
    await navigator.clipboard.writeText(linesOf(messages));
    copyStatus.value = `${count(messages.length)} copied.`;
  } catch {
    // Browsers allow clipboard access only on localhost and over https.
    copyStatus.value = 'Copying failed: the browser denied access to the clipboard. Use Export.';
  }
}

/** Downloads the messages as a file. */
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

/** One JSON object per line. */
function linesOf(messages: readonly TailMessage[]): string {
  return messages.map((message) => `${JSON.stringify(recordOf(message))}\n`).join('');
}

/** A truncated payload is not valid JSON and stays text. */
function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
