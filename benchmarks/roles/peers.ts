// Loads a participant by name, only in the processes that need it.

import type { Peer } from '../peers/peer.ts';

export async function loadPeer(name: string): Promise<Peer> {
  const { peer } = (await import(`../peers/${name}.js`)) as { peer: Peer };
  return peer;
}
