// The event table: reconnects, gaps, invalid messages, lease changes, overdue bots.

import type { EventRow } from '../../page-protocol.ts';
import { time } from '../display-format.ts';
import { events } from '../store.ts';
import { Dropped } from './dropped.tsx';
import { ScrollRegion } from './scroll-region.tsx';

export function Events() {
  return (
    <ScrollRegion label="Table of events">
      <table class="rows events">
        <caption class="visually-hidden">Events, newest first</caption>
        <thead>
          <tr>
            <th class="col-time">Time</th>
            <th class="col-kind">Kind</th>
            <th>Event</th>
          </tr>
        </thead>
        <tbody>
          {events.value.map((row) => (
            <EventTableRow key={row.n} row={row} />
          ))}
        </tbody>
      </table>
      <Dropped of="events" title="Too many events: the oldest of the most frequent kind were dropped." />
      {events.value.length === 0 && <p class="empty">No events yet.</p>}
    </ScrollRegion>
  );
}

function EventTableRow({ row: { at, kind, severity, text, count } }: { row: EventRow }) {
  return (
    <tr data-severity={severity} data-kind={kind}>
      <td class="col-time">{time(at)}</td>
      <td class="col-kind">
        <span class="tag">{kind}</span>
      </td>
      <td class="wrap">
        {text}
        {count > 1 && <span class="muted"> ×{count}</span>}
      </td>
    </tr>
  );
}
