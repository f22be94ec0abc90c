// Kinds of settings that programs share. Each parses the text of a variable or a flag. `expected` completes the error
// "NAME must be ...".

import { z } from 'zod';

/** A string without blanks at its ends. */
export function text(expected: string, pattern = /\S/) {
  return z.string(expected).trim().regex(pattern, expected);
}

/** What `parse` makes of the text; undefined for a text that is not valid. */
export function parsed<Value>(parse: (text: string) => Value | undefined, expected: string) {
  return z.string(expected).transform((given, context): Value => {
    const value = parse(given);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

/** The limits have nine digits at most. */
export function wholeNumber(
  least: number,
  most: number,
  expected = `a whole number from ${least} to ${most}`,
) {
  return text(expected, /^\d{1,9}$/)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected);
}

/** Items separated by commas, without blanks around them. */
export function splitList(list: string): readonly string[] {
  return list.split(',').map((item) => item.trim());
}

/** Host names without ports, separated by commas. Default: none. */
export function hostNames() {
  const areNames = (hosts: readonly string[]) => hosts.every((host) => /^[\w.-]{1,255}$/.test(host));
  return z
    .string()
    .transform(splitList)
    .refine(areNames, 'host names without ports, separated by commas')
    .default([]);
}

/** The name of PRICE_DATA, or of the prices of a venue. Default: PRICE_DATA. */
export function priceChannelName() {
  return text(
    'PRICE_DATA, or that of a venue, such as PRICE_DATA.kraken',
    /^PRICE_DATA(\.[\w-]{1,64})?$/,
  ).default('PRICE_DATA');
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const LEVEL_NAMES = 'trace, debug, info, warn, error, fatal or silent';

/** The setting of every program that logs. */
export const LOG_SETTINGS = {
  LOG_LEVEL: z.enum(LEVELS, { error: LEVEL_NAMES }).default('info').describe(`${LEVEL_NAMES} (default info)`),
} satisfies z.ZodRawShape;

/** The settings of a service with status pages. */
export function httpSettings(defaultPort: number) {
  return {
    HTTP_HOST: text('an IP address or a host name', /^[\w.:-]{1,255}$/)
      .default('127.0.0.1')
      .describe('address to serve /healthz, /readyz and /metrics on (default 127.0.0.1)'),
    HTTP_ALLOWED_HOSTS: hostNames().describe(
      'further host names of requests, separated by commas (default IP addresses and localhost only)',
    ),
    HTTP_PORT: wholeNumber(0, 65_535)
      .default(defaultPort)
      .describe(`port of these pages, 0 to disable them (default ${defaultPort})`),
  } satisfies z.ZodRawShape;
}
