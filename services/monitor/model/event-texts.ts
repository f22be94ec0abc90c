// What happened, as sentences for the operator.

import type { Audit, Gap, SubscriberStatus } from 'tickbus';
import type { EventRow, Severity } from '../page-protocol.ts';
import type { BotChange } from './bot-board.ts';
import type { DeliveryChange } from './price-board.ts';

/** Undefined for what is no news. */
export function describeStatus(
  told: SubscriberStatus,
): [kind: EventRow['kind'], severity: Severity, text: string] | undefined {
  switch (told.type) {
    case 'connected':
      return ['link', 'info', told.generation === 1 ? 'Connected to Redis.' : 'Connected to Redis again.'];
    case 'stale':
      return ['link', 'bad', 'Redis does not answer.'];
    case 'disconnected':
      return ['link', 'bad', told.error.message];
    case 'failed':
      return ['link', 'bad', told.error.message];
    case 'recovery_failed':
      return ['channel', 'bad', `${told.channel} could not be read: ${told.error.message}`];
    case 'gap':
      return ['gap', told.repaired ? 'info' : 'bad', describeGap(told)];
    default:
      return undefined;
  }
}

export function describeBotChange({ bot, change, detail }: BotChange): [severity: Severity, text: string] {
  if (change === 'overdue') return ['bad', `${bot} is overdue: it has not told its status.`];
  if (change === 'back') return ['info', `${bot} is heard again.`];
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
  const what = state === 'unknown' ? `${feed} does not know ${symbol}.` : `${feed} refuses ${symbol}.`;
  return ['warn', detail === undefined ? what : `${what} ${detail}`];
}

export function describeAudit(entry: Audit): [severity: Severity, text: string] {
  const { actor, action, outcome, message_type, bot, channel, detail, command_id } = entry;
  const what = [
    message_type,
    bot && `for ${bot}`,
    channel && `on ${channel}`,
    command_id && `(${command_id})`,
  ];
  const text = `${actor}: ${action.replace('_', ' ')} ${what.filter(Boolean).join(' ')}: ${outcome}.`;
  return [outcome === 'sent' ? 'info' : 'warn', detail === undefined ? text : `${text} ${detail}`];
}

function describeGap({ channel, cause, from, to, lost, repaired }: Gap): string {
  const range = from === undefined ? '' : to === undefined ? ` after ${from}` : ` ${from} to ${to}`;
  if (repaired) return `${channel}: messages${range} were missed and fetched.`;
  if (cause === 'epoch')
    return `${channel}: begun anew; what followed${range} in the old epoch is not known.`;
  const count = lost === undefined ? 'messages' : `${lost} message${lost === 1 ? '' : 's'}`;
  return `${channel}: ${count} lost (${range.trim()}), ${cause === 'overflow' ? 'the monitor was too slow' : 'on the way'}.`;
}
