// The bot table: the state that each bot reports, and the time since its last status.

import type { BotRow } from '../../page-protocol.ts';
import { count, duration, time, words } from '../display-format.ts';
import { bots, indicators, now } from '../store.ts';
import { Dropped } from './dropped.tsx';
import { ScrollRegion } from './scroll-region.tsx';

export function Bots() {
  const rows = bots.value;
  const isDisconnected = indicators.value?.redis.state === 'bad';
  const overdue = rows.filter(({ overdue: isOverdue }) => isOverdue).length;
  return (
    <section class="panel bots" aria-labelledby="bots-title" data-connected={!isDisconnected}>
      <div class="panel-head">
        <h2 id="bots-title">Bots</h2>
        <span class="muted">{rows.length}</span>
        <Dropped
          of="bots"
          title="Too many bots: the ones that reported for the shortest time were dropped."
        />
        {overdue > 0 && <span class="alert-text">{overdue} overdue</span>}
        {isDisconnected && <span class="muted">last known state</span>}
      </div>
      <ScrollRegion label="Table of bots">
        <table class="rows">
          <thead>
            <tr>
              <th>Bot</th>
              <th class="col-state">State</th>
              <th class="number">Seen</th>
              <th class="number">Up</th>
              <th class="number">Behind</th>
              <th>Last command</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <BotTableRow key={row.bot} row={row} />
            ))}
          </tbody>
        </table>
        {rows.length === 0 && <p class="empty">No bot has reported a status yet.</p>}
      </ScrollRegion>
    </section>
  );
}

function BotTableRow({ row }: { row: BotRow }) {
  const { bot, state, overdue, isPlain, copies, startedAt, behind, detail, subscriptions } = row;
  return (
    <tr data-bot={bot} data-state={overdue ? 'overdue' : state} title={detailsOf(row)}>
      <th scope="row">
        {bot}
        {copies !== undefined && (
          <span class="alert-text" title="The row shows the last status of any of them.">
            {` ${copies} copies`}
          </span>
        )}
        {isPlain && <span class="secondary">plain client</span>}
        {subscriptions !== undefined && <span class="secondary">{subscriptions.join('; ')}</span>}
      </th>
      <td class="bot-state">
        {overdue ? 'overdue' : words(state)}
        {overdue && <span class="secondary">was {words(state)}</span>}
        {detail !== undefined && <span class="secondary">{detail}</span>}
      </td>
      <td class="number" data-label="Seen">
        <Since at={row.heardAt} />
      </td>
      <td class="number" data-label="Up">
        {startedAt === undefined || state === 'stopped' || overdue ? '–' : <Since at={startedAt} />}
      </td>
      <td class="number" data-label="Behind" data-bad={(behind ?? 0) > 0}>
        {behind === undefined ? '–' : count(behind)}
      </td>
      <td data-label="Last command">
        <LastCommand row={row} />
      </td>
    </tr>
  );
}

function LastCommand({ row: { lastCommand } }: { row: BotRow }) {
  if (lastCommand === undefined) return <span class="muted">none</span>;
  const { text, sender, at } = lastCommand;
  return (
    <>
      <span class="clamped">{words(text)}</span>
      <span class="secondary">
        {time(at)} by {sender}
      </span>
    </>
  );
}

/** A separate component, because it renders with every frame. */
function Since({ at }: { at: number }) {
  return <>{duration(now.value - at)}</>;
}

/** Tooltip: values that may be truncated or have no column. */
function detailsOf({ pnl, position, detail, subscriptions, lastCommand }: BotRow): string {
  const parts = [
    detail,
    subscriptions?.join('\n'),
    lastCommand && `Last command: ${lastCommand.text}`,
    pnl !== undefined && `Profit and loss ${pnl.toFixed(2)}`,
    position !== undefined && `Position ${JSON.stringify(position)}`,
  ];
  return parts.filter(Boolean).join('\n');
}
