// A transport whose subscriptions count as named while others can see the record of the participant.

import type { Transport } from './port.ts';

export function named(transport: Transport, isSeen: () => boolean): Transport {
  return {
    byChannel: transport.byChannel === true,
    connect: () => transport.connect(),
    publish: (...call) => transport.publish(...call),
    adopt: (...call) => transport.adopt(...call),
    subscribe: (channel, onFrame) => transport.subscribe(channel, onFrame, isSeen()),
    areListenersNamed: (channel) => transport.areListenersNamed(channel),
    read: (...call) => transport.read(...call),
    readHistory: (...call) => transport.readHistory(...call),
    head: (channel) => transport.head(channel),
    complain: (...call) => transport.complain(...call),
    lease: (...call) => transport.lease(...call),
    demand: (channel) => transport.demand(channel),
    setPartitions: (...call) => transport.setPartitions(...call),
    onStatus: (listener) => transport.onStatus(listener),
    close: () => transport.close(),
  };
}
