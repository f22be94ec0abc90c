// The top bar: three lamps, and the figures of the whole bus.

import type { Lamp, LampName, LampState } from '../../protocol.ts';
import { count, duration, ms, rate } from '../format.ts';
import { isLive, lamps, now, totals } from '../store.ts';
import { nextTheme, theme } from '../theme.ts';
import { LampIcon } from './lamp.tsx';

const LAMPS: readonly (readonly [LampName, string])[] = [
  ['redis', 'Redis link'],
  ['broker', 'Broker link'],
  ['data', 'Data'],
];
const SAID: Readonly<Record<LampState, string>> = {
  ok: 'good',
  warn: 'look at it',
  bad: 'broken',
  unknown: 'cannot be judged',
};

export function TopBar() {
  return (
    <header class="top">
      <h1 class="brand">tickbus</h1>
      <ul class="lamps">
        {LAMPS.map(([name, title]) => (
          <LampItem key={name} name={name} title={title} />
        ))}
      </ul>
      <Figures />
      <button type="button" class="quiet theme" onClick={nextTheme} title="Change between light and dark">
        {theme.value === 'auto' ? 'Auto' : theme.value === 'dark' ? 'Dark' : 'Light'}
      </button>
      <Announcer />
    </header>
  );
}

function LampItem({ name, title }: { name: LampName; title: string }) {
  const lamp = shown(lamps.value?.[name]);
  return (
    <li class="lamp" data-lamp={name} data-state={lamp.state} title={lamp.detail}>
      <LampIcon state={lamp.state} />
      <span class="lamp-title">{title}</span>
      <span class="lamp-text">{lamp.text}</span>
      <LampSince lamp={lamp} />
      <span class="lamp-detail">{lamp.detail}</span>
    </li>
  );
}

/** A component of its own, because it is drawn with every frame. */
function LampSince({ lamp }: { lamp: Lamp }) {
  const since = lamp.since === 0 || lamp.state === 'ok' ? '' : duration(now.value - lamp.since);
  return (
    <span class="lamp-since" title="for so long">
      {since}
    </span>
  );
}

/** Without a stream from the monitor nothing can be said of anything. */
function shown(lamp: Lamp | undefined): Lamp {
  if (lamp !== undefined && isLive.value) return lamp;
  return { state: 'unknown', text: 'not known', detail: 'There is no word from the monitor.', since: 0 };
}

function Figures() {
  const { rate: perSecond, p50, p99, gaps, lost, invalid } = totals.value ?? NOTHING;
  return (
    <dl class="figures">
      <Figure name="msg/s" value={rate(perSecond)} />
      <Figure
        name="p50 ms"
        value={ms(p50)}
        title="From the publisher to the monitor, prices of the last 10 s"
      />
      <Figure
        name="p99 ms"
        value={ms(p99)}
        title="From the publisher to the monitor, prices of the last 10 s"
      />
      <Figure name="gaps" value={count(gaps)} isBad={gaps > 0} />
      <Figure name="lost" value={count(lost)} isBad={lost > 0} />
      <Figure name="invalid" value={count(invalid)} isBad={invalid > 0} />
    </dl>
  );
}

const NOTHING = { rate: 0, p50: null, p99: null, gaps: 0, lost: 0, invalid: 0 };

function Figure({
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
    <div class="figure" title={title} data-figure={name} data-bad={isBad === true}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** Tells a screen reader when a lamp changes, and the window's title what is broken. */
function Announcer() {
  const states = LAMPS.map(([name, title]) => ({ title, lamp: shown(lamps.value?.[name]) }));
  const broken = states.filter(({ lamp }) => lamp.state === 'bad').map(({ title }) => title);
  document.title = broken.length === 0 ? 'tickbus' : `✖ ${broken.join(', ')} – tickbus`;
  return (
    <p class="unseen" role="status">
      {states.map(({ title, lamp }) => `${title}: ${SAID[lamp.state]}, ${lamp.text}.`).join(' ')}
    </p>
  );
}
