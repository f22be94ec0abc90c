// The relay process, for peers with a process between server and subscribers.

import type { Address, SubscriberSide } from '../peers/peer.ts';
import { loadPeer } from './peers.ts';

let side: SubscriberSide | undefined;

export async function openRelay(options: {
  peer: string;
  server: Address;
  relayPort: number;
}): Promise<void> {
  const { relay } = await loadPeer(options.peer);
  if (relay === undefined) throw new Error(`The peer ${options.peer} has no relay.`);
  side = await relay(options.server, options.relayPort);
}

export async function closeRelay(): Promise<void> {
  await side?.close();
}
