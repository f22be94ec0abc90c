// A program that ends with grace, and takes until its stdin ends. It prints what it hears.

import { once } from 'node:events';
import { endWithGrace } from '@tickbus/graceful-end';

const say = (line: string) => process.stdout.write(`${line}\n`);

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => say(signal));
const failure = process.argv.includes('fails') ? Promise.resolve(new Error('mine')) : undefined;

endWithGrace({ deadlineMs: 20_000, ...(failure && { failure }) }, async ({ err, signal }) => {
  say(`stops: ${err?.message ?? signal}`);
  await once(process.stdin.resume(), 'end');
  say('stopped');
});
// Holds the process.
setInterval(() => {}, 60_000);
say('ready');
