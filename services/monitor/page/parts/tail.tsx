// Live messages, filtered by the server.

import { computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { TailMessage } from '../../api-protocol.ts';
import { count, timeWithMs, visible } from '../display-format.ts';
import { channels } from '../store.ts';
import { copy, copyStatus, recordOf, save } from '../tail-export.ts';
import { clear, type FilterFields, filter, isPaused, messages, skipped, startTail } from '../tail-stream.ts';
import { useVisibleRows } from '../visible-rows.ts';
import { Spacer } from './spacer.tsx';

const ROW_HEIGHT = 24;
const isNewestFirst = signal(true);
const shown = computed(() => (isNewestFirst.value ? messages.value.toReversed() : messages.value));
const selected = signal<TailMessage | undefined>(undefined);

export function Tail() {
  useEffect(startTail, []);
  return (
    <>
      <Toolbar />
      <div class="tail">
        <MessageList />
        {selected.value !== undefined && <MessageDetails message={selected.value} />}
      </div>
    </>
  );
}

function Toolbar() {
  return (
    <div class="toolbar">
      <select
        aria-label="Channel"
        value={filter.value.channel}
        onChange={({ currentTarget }) => setFilter('channel', currentTarget.value)}
      >
        <option value="">all channels</option>
        {channels.value.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <FilterInput field="type" title="Type" />
      <FilterInput field="sender" title="Sender" />
      <FilterInput field="key" title="Symbol or bot" />
      <FilterInput field="text" title="Text" />
      <span class="toolbar-group">
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
        {copyStatus.value}
      </span>
      <span class="muted tail-count" data-skipped={skipped.value}>
        {count(messages.value.length)} shown, {count(skipped.value)} skipped
      </span>
    </div>
  );
}

function FilterInput({ field, title }: { field: keyof FilterFields; title: string }) {
  return (
    <input
      type="search"
      aria-label={title}
      placeholder={title}
      value={filter.value[field]}
      onInput={({ currentTarget }) => setFilter(field, currentTarget.value)}
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

function MessageList() {
  const rows = shown.value;
  const visible = useVisibleRows(rows.length, ROW_HEIGHT, ROW_HEIGHT);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must reach scrollable content
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
          <Spacer rows={visible.first} height={ROW_HEIGHT} />
          {rows.slice(visible.first, visible.end).map((message, index) => (
            <TailTableRow key={message.n} message={message} rowIndex={visible.first + index + 2} />
          ))}
          <Spacer rows={rows.length - visible.end} height={ROW_HEIGHT} />
        </tbody>
      </table>
      {rows.length === 0 && <p class="empty">No matching message yet.</p>}
    </section>
  );
}

function TailTableRow({ message, rowIndex }: { message: TailMessage; rowIndex: number }) {
  const { at, channel, type, sender, data, snapshot } = message;
  const isOpen = selected.value?.n === message.n;
  return (
    <tr aria-rowindex={rowIndex} class={isOpen ? 'open' : ''} data-channel={channel}>
      <td class="col-time">{timeWithMs(at)}</td>
      <td class="col-channel">{channel}</td>
      <td class="col-type">
        {type}
        {snapshot && <span class="muted"> snapshot</span>}
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

/** The full payload of the selected message. */
function MessageDetails({ message }: { message: TailMessage }) {
  return (
    <section class="message-details" aria-label="Message details">
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
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must reach scrollable content */}
      <pre tabIndex={0}>{visible(JSON.stringify(recordOf(message), undefined, 2))}</pre>
    </section>
  );
}

function setFilter(field: keyof FilterFields, value: string): void {
  filter.value = { ...filter.value, [field]: value };
}
