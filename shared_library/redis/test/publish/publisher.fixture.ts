// A publisher on a transport that the test controls.

import { PublisherBase, type PublisherSettings } from '../../publish/publisher-base.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { FakeTransport } from '../fake-transport.fixture.ts';

/** A publisher, its transport and clock, and the envelopes sent so far. */
export function fakePublisher(settings: Partial<PublisherSettings> = {}) {
  const transport = new FakeTransport();
  const clock = new ManualClock();
  const publisher = new PublisherBase({ transport, clock, sender: 'me', ...settings });
  const sent = () => transport.published.flat().map(({ json }) => JSON.parse(json));
  return { transport, clock, publisher, sent };
}
