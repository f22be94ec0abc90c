// Event texts for operators.

import type { Audit, Forged, Gap, SubscriberStatus } from 'tickbus';
import type { EventRow, Severity } from '../page-protocol.ts';
import type { BotChange } from './bot-board.ts';
import type { DeliveryChange } from './price-board.ts';

/** Returns undefined for a status that is not worth an event. */
export function describeStatus(
  status: SubscriberStatus,
): [kind: EventRow['kind'], severity: Severity, text: string] | undefined {
  switch (status.type) {
    case 'connected':
    case 'stale':
    case 'disconnected':
    case 'failed':
      return describeLink(status);
    case 'recovery_failed':
      return ['channel', 'bad', `Reading ${status.channel} failed: ${status.error.message}`];
    case 'gap':
      return ['gap', status.repaired ? 'info' : 'bad', describeGap(status)];
    case 'forged':
      return ['channel', 'bad', describeForged(status)];
    default:
      return undefined;
  }
}

type LinkEvent = Extract<SubscriberStatus, { type: 'connected' | 'stale' | 'disconnected' | 'failed' }>;

/** On a cluster, the link of one channel says nothing about the others. */
function describeLink(status: LinkEvent): ['link', Severity, string] {
  const channel = 'channel' in status ? status.channel : undefined;
  switch (status.type) {
    case 'connected':
      if (channel !== undefined) return ['link', 'info', `${channel}: reconnected to its node.`];
      return ['link', 'info', status.generation === 1 ? 'Connected to Redis.' : 'Reconnected to Redis.'];
    case 'stale':
      return [
        'link',
        'bad',
        channel === undefined ? 'Redis does not respond.' : `${channel}: its node does not respond.`,
      ];
    default:
      return [
        'link',
        'bad',
        channel === undefined ? status.error.message : `${channel}: ${status.error.message}`,
      ];
  }
}

export function describeBotChange({ bot, change, detail }: BotChange): [severity: Severity, text: string] {
  if (change === 'overdue') return ['bad', `${bot} is overdue: no status has arrived in time.`];
  if (change === 'back') return ['info', `${bot} reports its status again.`];
  const reason = detail === undefined ? '' : ` ${detail}`;
  const severity = change.to === 'error' ? 'bad' : change.to === 'paused' ? 'warn' : 'info';
  return [severity, `${bot} is ${change.to}.${reason}`];
}

export function describeDeliveryChange({
  symbol,
  state,
  feed,
  detail,
}: DeliveryChange): [severity: Severity, text: string] {
  if (state === 'subscribed') return ['info', `${feed} delivers ${symbol}.`];
  const text = state === 'unknown' ? `${feed} does not know ${symbol}.` : `${feed} refuses ${symbol}.`;
  return ['warn', detail === undefined ? text : `${text} ${detail}`];
}

export function describeAudit(entry: Audit): [severity: Severity, text: string] {
  const { actor, action, outcome, message_type, bot, channel, detail, command_id } = entry;
  const parts = [
    message_type,
    bot && `for ${bot}`,
    channel && `on ${channel}`,
    command_id && `(${command_id})`,
  ];
  const text = `${actor}: ${action.replace('_', ' ')} ${parts.filter(Boolean).join(' ')}: ${outcome}.`;
  return [outcome === 'sent' ? 'info' : 'warn', detail === undefined ? text : `${text} ${detail}`];
}

function describeForged({ channel, isProved, count, from, to, senders }: Forged): string {
  const range = from === undefined ? '' : ` (${from} to ${to})`;
  const by = senders.length === 0 ? 'unknown' : senders.join(', ');
  if (isProved) return `${channel}: ${count} forged messages${range}, sender: ${by}.`;
  return `${channel}: ${count} sequence numbers${range} may be forged by one of the senders: ${by}.`;
}

function describeGap({ channel, cause, from, to, lost, repaired }: Gap): string {
  const range = from === undefined ? '' : to === undefined ? ` after ${from}` : ` ${from} to ${to}`;
  if (repaired) return `${channel}: missed messages${range} were recovered.`;
  if (cause === 'epoch') return `${channel}: new epoch; messages${range} in the old epoch may be lost.`;
  const count = lost === undefined ? 'messages' : `${lost} message${lost === 1 ? '' : 's'}`;
  const reason = cause === 'overflow' ? 'the monitor was too slow' : 'not delivered';
  return `${channel}: ${count} lost (${range.trim()}): ${reason}.`;
}
