// What Alpaca's stream errors mean for an operator, and whether to try again.
// Source: docs.alpaca.markets, "WebSocket Stream", section "Errors".

/** An error message of the broker. */
export interface BrokerError {
  readonly code: number;
  readonly message: string;
}

/** The first error in a decoded frame; undefined when there is none. */
export function findBrokerError(frame: unknown): BrokerError | undefined {
  if (!Array.isArray(frame)) return undefined;
  const error = frame.find((message) => message?.T === 'error');
  if (error === undefined) return undefined;
  return { code: Number(error.code), message: String(error.msg) };
}

/** What happened and what to do about it, in sentences. */
export function describeBrokerError({ code, message }: BrokerError): string {
  const advice = ADVICE_BY_CODE.get(code);
  return `The broker answered ${code} ${message}.${advice === undefined ? '' : ` ${advice}`}`;
}

/** Whether the same attempt may succeed later. False where somebody has to change the settings or the account first. */
export function isRetryable({ code }: BrokerError): boolean {
  return !FINAL_CODES.has(code);
}

const ADVICE_BY_CODE: ReadonlyMap<number, string> = new Map([
  [402, 'Check the key and the secret of the account, then start the gateway again.'],
  [404, 'The connection is too slow to authenticate within 10 s.'],
  [
    405,
    'The plan of the account allows no more instruments at a time. Ask for fewer, or for a plan that allows more.',
  ],
  [
    406,
    'Another program holds the one connection of the account. Stop it, or let it end; this gateway then takes over.',
  ],
  [407, 'The gateway did not read fast enough, and messages were lost. Give it more CPU, or fewer symbols.'],
  [408, 'Have the market data stream enabled for the account, then start the gateway again.'],
  [
    409,
    'The plan of the account does not include this feed. Use the URL of another, then start the gateway again.',
  ],
]);

const FINAL_CODES: ReadonlySet<number> = new Set([400, 401, 402, 403, 405, 408, 409, 410]);
