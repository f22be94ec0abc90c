// The event stream from the server. Reconnects until it succeeds.

import type { Delta, Snapshot } from '../page-protocol.ts';
import { applyDelta, applySnapshot, lostSince, streamState } from './store.ts';

const RETRY_MS = 1_000;
/** The server sends five frames per second; after this silence the stream counts as broken, even without an error. */
const SILENT_MS = 4_000;

/** Connects, and reconnects after a failure, for as long as the page is open. */
export function connectStream(): void {
  const source = new EventSource('/api/stream');
  let receivedAt = performance.now();
  const markOpen = () => {
    receivedAt = performance.now();
    streamState.value = 'open';
  };
  source.addEventListener('snapshot', ({ data }) => {
    applySnapshot(JSON.parse(data) as Snapshot);
    markOpen();
  });
  source.addEventListener('delta', ({ data }) => {
    applyDelta(JSON.parse(data) as Delta);
    markOpen();
  });
  const reconnect = () => {
    clearInterval(watchdog);
    source.close();
    if (streamState.value !== 'lost') lostSince.value = Date.now();
    streamState.value = 'lost';
    setTimeout(connectStream, RETRY_MS);
  };
  source.addEventListener('error', reconnect);
  const watchdog = setInterval(() => {
    if (performance.now() - receivedAt > SILENT_MS) reconnect();
  }, RETRY_MS);
}
