// Counts the listeners of a channel on the server.

import type { ChannelSpec } from '../../channel/channel.ts';
import type { RedisClient } from './client.ts';
import { isDenied } from './error-mapping.ts';
import { channelKeys } from './keys.ts';

/** See `Listening.areListenersNamed`. A named listener is also subscribed to the frames channel. */
export async function areListenersNamed(
  client: RedisClient,
  channel: ChannelSpec,
  isSharded: boolean,
): Promise<boolean | undefined> {
  const { name } = channel;
  const { frames } = channelKeys(channel);
  try {
    // One command: both counts are of the same instant. Patterns never match sharded channels.
    const [counts, patterns] = await Promise.all(
      isSharded
        ? [client.pubSubShardNumSub([name, frames]), 0]
        : [client.pubSubNumSub([name, frames]), client.pubSubNumPat()],
    );
    return patterns === 0 && counts[name] === counts[frames];
  } catch (error) {
    if (isDenied(error)) return undefined;
    throw error;
  }
}
