// The channel table: rate, latency, subscribers and losses of each channel; a rate chart of the selected one.

import { signal } from '@preact/signals';
import type { ChannelRow } from '../../page-protocol.ts';
import { count, ms } from '../display-format.ts';
import { channels, rates } from '../store.ts';
import { RateChart } from './rate-chart.tsx';
import { ScrollRegion } from './scroll-region.tsx';

const selected = signal('PRICE_DATA');

export function Channels() {
  return (
    <section class="panel channels" aria-labelledby="channels-title">
      <div class="panel-head">
        <h2 id="channels-title">Channels</h2>
        <span class="muted">{selected.value}, messages per second, last two minutes</span>
      </div>
      <RateChart
        values={rates.value[selected.value] ?? []}
        label={`Messages per second on ${selected.value}`}
      />
      <ScrollRegion label="Table of channels">
        <table class="rows">
          <thead>
            <tr>
              <th>Channel</th>
              <th class="number">msg/s</th>
              <th class="number">p50 ms</th>
              <th class="number">p99 ms</th>
              <th class="number">Subs</th>
              <th class="number received">Received</th>
              <th class="number">Gaps</th>
              <th class="number">Lost</th>
              <th class="number">Invalid</th>
            </tr>
          </thead>
          <tbody>
            {channels.value.map((row) => (
              <ChannelTableRow key={row.name} row={row} />
            ))}
          </tbody>
        </table>
      </ScrollRegion>
    </section>
  );
}

function ChannelTableRow({ row }: { row: ChannelRow }) {
  const { name, kind, mode, rate, p50, p99, subscribers, received, gaps, lost, invalid } = row;
  const isSelected = selected.value === name;
  return (
    <tr data-channel={name} class={isSelected ? 'open' : ''}>
      <th scope="row">
        <button
          type="button"
          class="row-button"
          aria-pressed={isSelected}
          onClick={() => {
            selected.value = name;
          }}
        >
          {name}
        </button>
        <span class={mode === 'live' ? 'muted kind' : 'muted'}>{mode === 'live' ? kind : mode}</span>
      </th>
      <td class="number">{count(rate)}</td>
      <td class="number">{ms(p50)}</td>
      <td class="number">{ms(p99)}</td>
      <td class="number">{subscribers === null ? '–' : count(subscribers)}</td>
      <td class="number received">{count(received)}</td>
      <td class="number" data-bad={gaps > 0}>
        {count(gaps)}
      </td>
      <td class="number" data-bad={lost > 0}>
        {count(lost)}
      </td>
      <td class="number" data-bad={invalid > 0}>
        {count(invalid)}
      </td>
    </tr>
  );
}
