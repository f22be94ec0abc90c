// Explains Alpaca's stream errors to an operator, and separates retryable errors from permanent ones.
// Source: docs.alpaca.markets, "WebSocket Stream", section "Errors".

/** An error message of the broker. */
export interface BrokerError {
  readonly code: number;
  readonly message: string;
}

/** The first error in a decoded frame; undefined if there is none. */
export function findBrokerError(frame: unknown): BrokerError | undefined {
  if (!Array.isArray(frame)) return undefined;
  const error = frame.find((message) => message?.T === 'error');
  if (error === undefined) return undefined;
  return { code: Number(error.code), message: String(error.msg) };
}

/**
 * Sentences for the operator: the broker's error and what to do.
 *
 * @param clean makes the broker's text safe to show
 */
export function describeBrokerError({ code, message }: BrokerError, clean: (text: string) => string): string {
  const advice = ADVICE_BY_CODE.get(code);
  return `The broker answered ${code} ${clean(message)}.${advice === undefined ? '' : ` ${advice}`}`;
}

/** False if the settings or the account must change before another attempt can succeed. */
export function isRetryable({ code }: BrokerError): boolean {
  return !FINAL_CODES.has(code);
}

const ADVICE_BY_CODE: ReadonlyMap<number, string> = new Map([
  [402, 'Check the key and the secret of the account, then restart the gateway.'],
  [404, 'The connection did not authenticate within 10 s. Check the network.'],
  [405, 'The plan of the account allows no more instruments at a time. Request fewer, or upgrade the plan.'],
  [406, 'Another program holds the only connection of the account. Stop it; this gateway then connects.'],
  [407, 'The gateway read too slowly, and messages were lost. Give it more CPU, or request fewer symbols.'],
  [408, 'Enable the market data stream for the account, then restart the gateway.'],
  [
    409,
    'The plan of the account does not include this feed. Use the URL of another feed, then restart the gateway.',
  ],
]);

const FINAL_CODES: ReadonlySet<number> = new Set([400, 401, 402, 403, 405, 408, 409, 410]);
