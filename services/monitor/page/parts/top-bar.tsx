// The top bar: the status indicators and the totals over all channels.

import type { Indicator, IndicatorName, IndicatorState } from '../../page-protocol.ts';
import { count, duration, ms, rate } from '../display-format.ts';
import { indicators, isLive, now, totals } from '../store.ts';
import { nextTheme, theme } from '../theme.ts';
import { IndicatorIcon } from './indicator-icon.tsx';
import { StatusLine } from './status-line.tsx';

const INDICATORS: readonly (readonly [IndicatorName, string])[] = [
  ['redis', 'Redis link'],
  ['broker', 'Broker link'],
  ['data', 'Data'],
];
const STATE_TEXT: Readonly<Record<IndicatorState, string>> = {
  ok: 'OK',
  warn: 'warning',
  bad: 'failed',
  unknown: 'unknown',
};

export function TopBar() {
  return (
    <header class="top">
      <h1 class="brand">tickbus</h1>
      <ul class="indicators">
        {INDICATORS.map(([name, title]) => (
          <IndicatorItem key={name} name={name} title={title} />
        ))}
      </ul>
      <Metrics />
      <button type="button" class="quiet theme" onClick={nextTheme} title="Switch between light and dark">
        {theme.value === 'auto' ? 'Auto' : theme.value === 'dark' ? 'Dark' : 'Light'}
      </button>
      <StatusLine />
      <Announcer />
    </header>
  );
}

function IndicatorItem({ name, title }: { name: IndicatorName; title: string }) {
  const indicator = shownIndicator(indicators.value?.[name]);
  return (
    <li class="indicator" data-indicator={name} data-state={indicator.state} title={indicator.detail}>
      <IndicatorIcon state={indicator.state} />
      <span class="indicator-title">{title}</span>
      <span class="indicator-text">{indicator.text}</span>
      <IndicatorSince indicator={indicator} />
      <span class="indicator-detail">{indicator.detail}</span>
    </li>
  );
}

/** A separate component, because it renders with every frame. */
function IndicatorSince({ indicator }: { indicator: Indicator }) {
  const since =
    indicator.since === 0 || indicator.state === 'ok' ? '' : duration(now.value - indicator.since);
  return (
    <span class="indicator-since" title="Time in this state">
      {since}
    </span>
  );
}

/** Without a connection to the monitor every state is unknown. */
function shownIndicator(indicator: Indicator | undefined): Indicator {
  if (indicator !== undefined && isLive.value) return indicator;
  return { state: 'unknown', text: 'unknown', detail: 'No connection to the monitor.', since: 0 };
}

function Metrics() {
  const { rate: perSecond, p50, p99, gaps, lost, invalid } = totals.value ?? NO_TOTALS;
  return (
    <dl class="metrics">
      <Metric name="msg/s" value={rate(perSecond)} />
      <Metric
        name="p50 ms"
        value={ms(p50)}
        title="Latency from publisher to monitor, prices of the last 10 s"
      />
      <Metric
        name="p99 ms"
        value={ms(p99)}
        title="Latency from publisher to monitor, prices of the last 10 s"
      />
      <Metric name="gaps" value={count(gaps)} isBad={gaps > 0} />
      <Metric name="lost" value={count(lost)} isBad={lost > 0} />
      <Metric name="invalid" value={count(invalid)} isBad={invalid > 0} />
    </dl>
  );
}

const NO_TOTALS = { rate: 0, p50: null, p99: null, gaps: 0, lost: 0, invalid: 0 };

function Metric({
  name,
  value,
  title,
  isBad,
}: {
  name: string;
  value: string;
  title?: string;
  isBad?: boolean;
}) {
  return (
    <div class="metric" title={title} data-metric={name} data-bad={isBad === true}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** Announces changes to screen readers, and puts failed indicators into the window title. */
function Announcer() {
  const states = INDICATORS.map(([name, title]) => ({
    title,
    indicator: shownIndicator(indicators.value?.[name]),
  }));
  const failed = states.filter(({ indicator }) => indicator.state === 'bad').map(({ title }) => title);
  document.title = failed.length === 0 ? 'tickbus' : `✖ ${failed.join(', ')} – tickbus`;
  return (
    <p class="visually-hidden" role="status">
      {states
        .map(({ title, indicator }) => `${title}: ${STATE_TEXT[indicator.state]}, ${indicator.text}.`)
        .join(' ')}
    </p>
  );
}
