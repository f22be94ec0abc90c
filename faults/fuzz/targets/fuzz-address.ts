// Fuzz target of addresses: an address is accepted, or rejected with TICKBUS_INVALID_OPTION. The error contains no part
// of the password.

import { equal, ok } from 'node:assert/strict';
import { inspect } from 'node:util';
import { RedisConnection, TickbusError } from 'tickbus';
import { urls } from '../corpus.ts';
import { mutatedText } from '../mutations.ts';
import { defineTarget, timed } from '../target.ts';

/** Parts of the passwords in the corpus. A mutation can split a password. */
const SECRETS = ['S3cr3tP4ss', 'cr3tP4', 'P4ssw0rd'];
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export const address = defineTarget({
  name: 'address',
  inputs: mutatedText(urls()),
  runs: 500,
  check(url) {
    try {
      // The constructor does not connect.
      timed('RedisConnection', () => new RedisConnection({ url, logger: SILENT }));
    } catch (error) {
      if (!(error instanceof TickbusError)) throw error;
      equal(error.code, 'TICKBUS_INVALID_OPTION');
      const text = inspect(error, { depth: 10 });
      const leaked = SECRETS.filter((secret) => text.includes(secret));
      ok(leaked.length === 0, `The error contains a part of the password: ${error.message}`);
    }
  },
});
