// The command table: sender, bot, command and result.

import { signal } from '@preact/signals';
import type { CommandRow, CommandState } from '../../page-protocol.ts';
import { time, words } from '../display-format.ts';
import { about, commands } from '../store.ts';
import { Dropped } from './dropped.tsx';
import { ScrollRegion } from './scroll-region.tsx';
import { SendCommand } from './send-command.tsx';

const STATE_TEXT: Readonly<Record<CommandState, string>> = {
  sent: 'no result yet',
  accepted: 'accepted',
  done: 'done',
  rejected: 'rejected',
  expired: 'expired',
  failed: 'failed',
  unanswered: 'timed out',
};

const isSending = signal(false);

export function Commands() {
  return (
    <>
      <div class="toolbar">
        {about.value?.canSend ? (
          <button
            type="button"
            onClick={() => {
              isSending.value = true;
            }}
          >
            Send a command…
          </button>
        ) : (
          <p class="muted">Sending is disabled. Set MONITOR_TOKEN and restart the monitor to enable it.</p>
        )}
      </div>
      {isSending.value && (
        <SendCommand
          onClose={() => {
            isSending.value = false;
          }}
        />
      )}
      <ScrollRegion label="Table of commands">
        <table class="rows commands">
          <caption class="visually-hidden">Commands, newest first</caption>
          <thead>
            <tr>
              <th class="col-time">Time</th>
              <th class="col-from-to">From, to</th>
              <th>Command</th>
              <th>Result</th>
            </tr>
          </thead>
          <tbody>
            {commands.value.map((row) => (
              <CommandTableRow key={row.n} row={row} />
            ))}
          </tbody>
        </table>
        <Dropped of="commands" title="Too many commands: the oldest were dropped." />
        {commands.value.length === 0 && <p class="empty">No commands since the monitor started.</p>}
      </ScrollRegion>
    </>
  );
}

function CommandTableRow({ row }: { row: CommandRow }) {
  const { at, sender, bot, type, text, state, result, answeredAt } = row;
  const took = answeredAt === undefined ? '' : ` after ${answeredAt - at} ms`;
  return (
    <tr data-state={state} data-command={type} title={row.id}>
      <td class="col-time">{time(at)}</td>
      <td class="wrap">
        {sender}
        <span class="secondary">to {bot}</span>
      </td>
      <td class="wrap">
        <b>{words(type)}</b> {text}
      </td>
      <td class="wrap command-result">
        {STATE_TEXT[state]}
        {took}
        {result !== undefined && result !== '' && <span class="secondary">{result}</span>}
      </td>
    </tr>
  );
}
