// The paths of the recorded sessions, which are not part of the repository.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../../../../shared/data/', import.meta.url));

export const COINBASE_CAPTURE = `${FOLDER}coinbase-2021-04-17.jsonl.gz`;
export const BINANCE_CAPTURE = `${FOLDER}binance-futures-2021-07-22.jsonl.gz`;
export const BINANCE_MARKETS = `${FOLDER}binance-futures-2021-07-22.exchangeInfo.json.gz`;

/** The reason to skip a test; undefined if the sessions exist. */
export const SKIP_REASON = [COINBASE_CAPTURE, BINANCE_CAPTURE, BINANCE_MARKETS].every(existsSync)
  ? undefined
  : `The recorded sessions are not in ${FOLDER}: they are not part of the repository.`;
