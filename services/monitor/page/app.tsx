// The page layout: status at the top, prices, bots and channels in the middle, activity below.

import { signal } from '@preact/signals';
import { Banner } from './parts/banner.tsx';
import { Bots } from './parts/bots.tsx';
import { Channels } from './parts/channels.tsx';
import { InstrumentPanel } from './parts/instrument.tsx';
import { Prices } from './parts/prices.tsx';
import { Tabs } from './parts/tabs.tsx';
import { TopBar } from './parts/top-bar.tsx';
import { isLive } from './store.ts';

/** Symbol whose details panel is open. */
const opened = signal<string | undefined>(undefined);

export function App() {
  return (
    <div class="page" data-live={isLive.value}>
      <a class="skip-link" href="#prices">
        Skip to the prices
      </a>
      <TopBar />
      <Banner />
      <main class="panels">
        <Prices opened={opened} />
        <div class="side">
          <InstrumentPanel opened={opened} />
          <Bots />
          <Channels />
        </div>
        <Tabs />
      </main>
    </div>
  );
}
