// Warns that the connection to the monitor is lost and that the page shows the data of the last frame.

import { useEffect, useState } from 'preact/hooks';
import { duration, time } from '../display-format.ts';
import { lostSince, now, streamState } from '../store.ts';

export function Banner() {
  if (streamState.value !== 'lost') return null;
  return (
    <p class="banner" role="alert">
      Cannot reach the monitor. {now.value === 0 ? 'No data yet' : `Data as of ${time(now.value)}`}.
      Reconnecting <LostFor />
    </p>
  );
}

function LostFor() {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1_000);
    return () => clearInterval(timer);
  }, []);
  return <span aria-hidden="true">({duration(Date.now() - lostSince.value)})</span>;
}
