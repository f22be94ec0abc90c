// The stream from the server; made anew for as long as it takes when it breaks.

import type { Delta, Snapshot } from '../page-protocol.ts';
import { lostSince, streamState, takeDelta, takeSnapshot } from './store.ts';

const RETRY_MS = 1_000;
/** Frames come several times a second; so long without one, the stream is broken, whatever the browser thinks of it. */
const SILENT_MS = 4_000;

/** Begins to listen, for as long as the page is open. */
export function connectStream(): void {
  const source = new EventSource('/api/stream');
  let heardAt = performance.now();
  const heard = (state: 'open') => {
    heardAt = performance.now();
    streamState.value = state;
  };
  source.addEventListener('snapshot', ({ data }) => {
    takeSnapshot(JSON.parse(data) as Snapshot);
    heard('open');
  });
  source.addEventListener('delta', ({ data }) => {
    takeDelta(JSON.parse(data) as Delta);
    heard('open');
  });
  const again = () => {
    clearInterval(watchdog);
    source.close();
    if (streamState.value !== 'lost') lostSince.value = Date.now();
    streamState.value = 'lost';
    setTimeout(connectStream, RETRY_MS);
  };
  source.addEventListener('error', again);
  const watchdog = setInterval(() => {
    if (performance.now() - heardAt > SILENT_MS) again();
  }, RETRY_MS);
}
