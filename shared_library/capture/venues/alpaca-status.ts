// The trading statuses of Alpaca: halts and their ends.

import type { UncheckedEvent } from '../event-rules.ts';
import type { JsonObject } from '../market-event.ts';
import { unixMsOf } from './venue-time.ts';

/**
 * Codes of the consolidated tapes. A and B (CTA): 2 is a halt, 3 its end. C (UTP): H is a halt, P a volatility pause, T
 * the end of either. The others, such as Q (quotes resume before trading does), do not change whether an instrument is
 * halted. Source: docs.alpaca.markets, "Real-time Stock Data", section "Trading Status"; the UTP specification,
 * "Trading Action".
 */
const HALTS: ReadonlySet<unknown> = new Set(['2', 'H', 'P']);
const RESUMPTIONS: ReadonlySet<unknown> = new Set(['3', 'T']);

/** A halt with the venue's texts, or its end; undefined for any other status. */
export function readAlpacaStatus({ S, sc, sm, rc, rm, t }: JsonObject): UncheckedEvent | undefined {
  const common = { symbol: S, ...(t !== undefined && { timestamp: unixMsOf(t) }) };
  if (RESUMPTIONS.has(sc)) return { kind: 'resume', ...common };
  if (!HALTS.has(sc)) return undefined;
  const texts = [sm, rc, rm].filter((text) => typeof text === 'string' && text !== '');
  const detail = texts.map((text) => String(text).slice(0, MAX_TEXT)).join(', ');
  return { kind: 'halt', ...common, ...(detail !== '' && { detail }) };
}

const MAX_TEXT = 100;
