// Says that the page itself is cut off: everything below is then as old as the last frame.

import { useEffect, useState } from 'preact/hooks';
import { duration, time } from '../display-format.ts';
import { lostSince, now, streamState } from '../store.ts';

export function Banner() {
  if (streamState.value !== 'lost') return null;
  return (
    <p class="banner" role="alert">
      The monitor cannot be reached. What you see is of {now.value === 0 ? 'nothing yet' : time(now.value)}.
      Trying again <LostFor />
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
