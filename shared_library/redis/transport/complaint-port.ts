// The part of the port that tells the programs of a channel that another one defines it differently.

import type { ChannelSpec } from '../channel/channel.ts';

export interface Complaining {
  /**
   * Leaves a complaint at the head of a channel, in place of the former one, if a definition is recorded there. Changes
   * nothing else. Without permission it does nothing.
   *
   * @param text see `complaintText`
   */
  complain(channel: ChannelSpec, text: string): Promise<void>;
}
