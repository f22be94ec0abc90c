// The messages of TRADES: their payloads, and what identifies them.

import type { TradeChange, TradeDetails, TradeEvent, TradeReference } from '@tickbus/capture';
import type { Trade, TradeCancel, TradeCorrection, TradeGap } from 'tickbus';
import type { Identity } from './recent-trades.ts';

/** A message about an event of the venue. */
export type TradeMessage =
  | { readonly type: 'trade'; readonly data: Trade }
  | { readonly type: 'trade_correction'; readonly data: TradeCorrection }
  | { readonly type: 'trade_cancel'; readonly data: TradeCancel };

/** Any message of the channel. */
export type ChannelMessage = TradeMessage | { readonly type: 'trade_gap'; readonly data: TradeGap };

/** Limits of the channel's schema. Details beyond them are left out, so that the trade can be published. */
const MAX_ID_LENGTH = 128;
const MAX_CONDITIONS = 16;
const MAX_CONDITION_LENGTH = 32;

const DAY_MS = 86_400_000;

type PublishedTrade = Pick<Trade, 'trade_id' | 'price' | 'size' | 'timestamp'>;

export function tradeMessage(event: TradeEvent, venue: string | undefined): TradeMessage {
  const { symbol, price, size, timestamp } = event;
  return {
    type: 'trade',
    data: { symbol, price, size, timestamp, ...detailsOf(event), ...(venue !== undefined && { venue }) },
  };
}

/** @param known when the original happened, if the venue does not repeat that */
export function changeMessage(
  event: TradeChange,
  venue: string | undefined,
  known: number | undefined,
): TradeMessage {
  const { symbol, timestamp } = event;
  const original = referenceOf(event.original, known);
  const common = { symbol, timestamp, original, ...(venue !== undefined && { venue }) };
  if (event.kind === 'cancel')
    return {
      type: 'trade_cancel',
      data: { ...common, ...(event.reason !== undefined && { reason: event.reason }) },
    };
  const { corrected } = event;
  const { price, size, timestamp: happenedAt = original.timestamp ?? timestamp } = corrected;
  const { taker_side: _, ...details } = detailsOf(corrected);
  return {
    type: 'trade_correction',
    data: { ...common, corrected: { price, size, timestamp: happenedAt, ...details } },
  };
}

/** The identity of the message, and for a correction also that of the trade that it results in. */
export function identitiesOf({ type, data }: TradeMessage): readonly [Identity, ...Identity[]] {
  const { symbol, timestamp } = data;
  if (type === 'trade') return [tradeIdentity(symbol, data)];
  const { trade_id = '', price, size } = data.original;
  const key = `${type} ${timestamp} ${trade_id} ${price} ${size}`;
  if (type === 'trade_cancel') return [{ symbol, key, time: timestamp, isUnique: true }];
  const { corrected } = data;
  return [
    { symbol, key: `${key} ${corrected.price} ${corrected.size}`, time: timestamp, isUnique: true },
    // The venue may send the corrected trade again as if it were a new one.
    tradeIdentity(symbol, corrected),
  ];
}

/** When the subject of the message happened, Unix milliseconds. */
export function timeOf({ type, data }: ChannelMessage): number {
  return type === 'trade_gap' ? data.to : data.timestamp;
}

/** Whether something that happened later was published before it. */
export function isLate({ type, data }: ChannelMessage): boolean {
  return type === 'trade' && data.late === true;
}

/** Whether a key of `identitiesOf` is that of the trade. */
export function isKeyOf({ trade_id, price, size }: TradeReference): (key: string) => boolean {
  const [start, end] = [trade_id === undefined ? '' : `#${trade_id} `, ` ${price} ${size}`];
  return (key) => key.startsWith(start) && key.endsWith(end) && !key.startsWith('trade_');
}

/**
 * Venues use an identifier again on another day. Price and size are part of the key, because some venues number the
 * trades of each exchange separately, so that two trades can have the same identifier.
 */
function tradeIdentity(symbol: string, trade: PublishedTrade): Identity {
  const { trade_id, price, size, timestamp } = trade;
  if (trade_id === undefined)
    return { symbol, key: `${timestamp} ${price} ${size}`, time: timestamp, isUnique: false };
  const key = `#${trade_id} ${Math.floor(timestamp / DAY_MS)} ${price} ${size}`;
  return { symbol, key, time: timestamp, isUnique: true };
}

function referenceOf({ trade_id, price, size, timestamp }: TradeReference, known: number | undefined) {
  const happenedAt = timestamp ?? known;
  return {
    ...(isId(trade_id) && { trade_id }),
    price,
    size,
    ...(happenedAt !== undefined && { timestamp: happenedAt }),
  };
}

function detailsOf({ trade_id, conditions, excluded_from, taker_side }: TradeDetails) {
  return {
    ...(isId(trade_id) && { trade_id }),
    ...(conditions !== undefined && { conditions: conditions.filter(isCondition).slice(0, MAX_CONDITIONS) }),
    ...(excluded_from !== undefined && { excluded_from: [...excluded_from] }),
    ...(taker_side !== undefined && { taker_side }),
  };
}

function isId(id: string | undefined): id is string {
  return id !== undefined && id !== '' && id.length <= MAX_ID_LENGTH;
}

function isCondition(code: string): boolean {
  return code !== '' && code.length <= MAX_CONDITION_LENGTH;
}
