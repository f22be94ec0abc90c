// Leader election: the process that holds the lease does the job. When it releases the lease, the next one takes over.

import { RedisLease } from 'tickbus/lease';

// An error prints what failed and what to do, without a stack trace.
process.on('uncaughtException', ({ message }) => {
  console.error(message);
  process.exit(1);
});

// All candidates use the same ttlMs. The default of 3 s tolerates short pauses; a shorter one keeps the example fast.
const first = new RedisLease({ name: 'nightly-report', ttlMs: 600 });
const second = new RedisLease({ name: 'nightly-report', ttlMs: 600 });

first.on('gained', ({ token }) => console.log(`first works: ${token > 0}`));
second.on('gained', ({ signal }) => {
  console.log('second works');
  // Pass the signal to the work in progress: fetch(url, { signal }), a query, a stream.
  signal.addEventListener('abort', () => console.log('second stops'));
});

await first.start();
await new Promise<void>((resolve) => first.on('gained', () => resolve()));
await second.start();
console.log(`second holds the lease too: ${second.holds}`);

const takenOver = new Promise<void>((resolve) => second.on('gained', () => resolve()));
console.log(`first released the lease: ${await first.release()}`);
await takenOver;

await Promise.all([first.close(), second.close()]);

// Prints:
// first works: true
// second holds the lease too: false
// first released the lease: true
// second works
// second stops
