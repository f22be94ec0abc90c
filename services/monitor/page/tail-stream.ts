// The event stream of the tail: keeps the newest messages that match the filter.

import { batch, effect, signal } from '@preact/signals';
import type { TailBatch, TailMessage } from '../api-protocol.ts';

export interface FilterFields {
  readonly channel: string;
  readonly type: string;
  readonly sender: string;
  readonly key: string;
  readonly text: string;
}

const NO_FILTER: FilterFields = { channel: '', type: '', sender: '', key: '', text: '' };
const MAX_MESSAGES = 1_000;
/** Delay after the last keystroke before a changed filter is sent. */
const DEBOUNCE_MS = 250;
const RETRY_MS = 1_000;

export const filter = signal<FilterFields>(NO_FILTER);
/** Oldest first. */
export const messages = signal<readonly TailMessage[]>([]);
/** Matching messages that are not shown: too many at a time, or received while paused. */
export const skipped = signal(0);
export const isPaused = signal(false);

let next = 1;

export function clear(): void {
  batch(() => {
    messages.value = [];
    skipped.value = 0;
  });
}

/** Streams until the returned function is called. A changed filter clears the list and reconnects. */
export function startTail(): () => void {
  let end: () => void = () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isFirst = true;
  const stop = effect(() => {
    const fields = filter.value;
    clearTimeout(timer);
    const restart = () => {
      end();
      if (!isFirst) clear();
      isFirst = false;
      end = open(fields);
    };
    if (isFirst) restart();
    else timer = setTimeout(restart, DEBOUNCE_MS);
  });
  return () => {
    clearTimeout(timer);
    stop();
    end();
  };
}

function open(fields: FilterFields): () => void {
  const given = Object.entries(fields).filter(([, value]) => value.trim() !== '');
  const query = new URLSearchParams(given.map(([field, value]) => [field, value.trim()]));
  let isEnded = false;
  let source: EventSource;
  const connect = () => {
    if (isEnded) return;
    source = new EventSource(`/api/tail?${query}`);
    source.addEventListener('batch', ({ data }) => addBatch(JSON.parse(data) as TailBatch));
    source.addEventListener('error', () => {
      source.close();
      setTimeout(connect, RETRY_MS);
    });
  };
  connect();
  return () => {
    isEnded = true;
    source.close();
  };
}

function addBatch({ messages: received, skipped: dropped }: TailBatch): void {
  batch(() => {
    if (isPaused.value) {
      skipped.value += dropped + received.length;
      return;
    }
    const numbered = received.map((message) => ({ ...message, n: next++ }));
    messages.value = [...messages.value, ...numbered].slice(-MAX_MESSAGES);
    skipped.value += dropped;
  });
}
