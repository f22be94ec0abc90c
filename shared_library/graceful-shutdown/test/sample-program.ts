// A program that shuts down gracefully. Its `stop` waits for the end of stdin; it prints each signal and step.

import { once } from 'node:events';
import { shutDownGracefully } from '@tickbus/graceful-shutdown';

const print = (line: string) => process.stdout.write(`${line}\n`);

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => print(signal));
const failure = process.argv.includes('fails') ? Promise.resolve(new Error('mine')) : undefined;

shutDownGracefully({ deadlineMs: 20_000, ...(failure && { failure }) }, async ({ err, signal }) => {
  print(`stops: ${err?.message ?? signal}`);
  await once(process.stdin.resume(), 'end');
  print('stopped');
});
// Keeps the process alive.
setInterval(() => {}, 60_000);
print('ready');
