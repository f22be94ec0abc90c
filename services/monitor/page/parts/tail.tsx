// The messages as they come, filtered by the server.

import { computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { TailMessage } from '../../protocol.ts';
import { count, timeWithMs } from '../format.ts';
import { channels } from '../store.ts';
import { copied, copy, recordOf, save } from '../tail-export.ts';
import { clear, type Filter, filter, follow, isPaused, messages, skipped } from '../tail-link.ts';
import { useVisible } from '../virtual.ts';
import { Space } from './space.tsx';

const ROW_HEIGHT = 24;
const isNewestFirst = signal(true);
const shown = computed(() => (isNewestFirst.value ? messages.value.toReversed() : messages.value));
const selected = signal<TailMessage | undefined>(undefined);

export function Tail() {
  useEffect(follow, []);
  return (
    <>
      <Tools />
      <div class="tail">
        <List />
        {selected.value !== undefined && <Whole message={selected.value} />}
      </div>
    </>
  );
}

function Tools() {
  return (
    <div class="tools">
      <select
        aria-label="Channel"
        value={filter.value.channel}
        onChange={({ currentTarget }) => wanted('channel', currentTarget.value)}
      >
        <option value="">every channel</option>
        {channels.value.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <Condition field="type" title="Type" />
      <Condition field="sender" title="Sender" />
      <Condition field="key" title="Symbol or bot" />
      <Condition field="text" title="Text" />
      <span class="tool-group">
        <Toggle isOn={isPaused.value} onClick={() => (isPaused.value = !isPaused.value)} title="Pause" />
        <Toggle
          isOn={isNewestFirst.value}
          onClick={() => (isNewestFirst.value = !isNewestFirst.value)}
          title="Newest first"
        />
        <button type="button" class="quiet" onClick={clear}>
          Clear
        </button>
        <button type="button" class="quiet" onClick={() => void copy(shown.value)}>
          Copy
        </button>
        <button type="button" class="quiet" onClick={() => save(shown.value)}>
          Export
        </button>
      </span>
      <span class="muted" role="status">
        {copied.value}
      </span>
      <span class="muted tail-count" data-skipped={skipped.value}>
        {count(messages.value.length)} shown, {count(skipped.value)} skipped
      </span>
    </div>
  );
}

function Condition({ field, title }: { field: keyof Filter; title: string }) {
  return (
    <input
      type="search"
      aria-label={title}
      placeholder={title}
      value={filter.value[field]}
      onInput={({ currentTarget }) => wanted(field, currentTarget.value)}
    />
  );
}

function Toggle({ isOn, onClick, title }: { isOn: boolean; onClick: () => void; title: string }) {
  return (
    <button type="button" class="quiet" aria-pressed={isOn} onClick={onClick}>
      {title}
    </button>
  );
}

function List() {
  const rows = shown.value;
  const visible = useVisible(rows.length, ROW_HEIGHT, ROW_HEIGHT);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reached by the keyboard
    <section class="scroll" id="messages" ref={visible.scroller} tabIndex={0} aria-label="Messages">
      <table class="rows tail-table" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            <th class="col-time">Time</th>
            <th class="col-channel">Channel</th>
            <th class="col-type">Type</th>
            <th class="col-sender">Sender</th>
            <th class="col-payload">Payload</th>
          </tr>
        </thead>
        <tbody>
          <Space rows={visible.first} height={ROW_HEIGHT} />
          {rows.slice(visible.first, visible.end).map((message, index) => (
            <Line key={message.n} message={message} place={visible.first + index + 2} />
          ))}
          <Space rows={rows.length - visible.end} height={ROW_HEIGHT} />
        </tbody>
      </table>
      {rows.length === 0 && <p class="empty">Nothing has passed the filter yet.</p>}
    </section>
  );
}

function Line({ message, place }: { message: TailMessage; place: number }) {
  const { at, channel, type, sender, data, snapshot } = message;
  const isOpen = selected.value?.n === message.n;
  return (
    <tr aria-rowindex={place} class={isOpen ? 'open' : ''} data-channel={channel}>
      <td class="col-time">{timeWithMs(at)}</td>
      <td class="col-channel">{channel}</td>
      <td class="col-type">
        {type}
        {snapshot && <span class="muted"> kept</span>}
      </td>
      <td class="col-sender">{sender}</td>
      <td class="col-payload">
        <button
          type="button"
          class="row-button payload"
          aria-pressed={isOpen}
          onClick={() => {
            selected.value = isOpen ? undefined : message;
          }}
        >
          {data}
        </button>
      </td>
    </tr>
  );
}

/** The whole of one message. */
function Whole({ message }: { message: TailMessage }) {
  return (
    <section class="whole" aria-label="One message">
      <button
        type="button"
        class="quiet"
        onClick={() => {
          selected.value = undefined;
          document.getElementById('messages')?.focus();
        }}
      >
        Close
      </button>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
      <pre tabIndex={0}>{JSON.stringify(recordOf(message), undefined, 2)}</pre>
    </section>
  );
}

function wanted(field: keyof Filter, value: string): void {
  filter.value = { ...filter.value, [field]: value };
}
