// A job that one of many does: the one that holds the lease works, the next one follows at once when it lets go.

import { RedisLease } from 'tickbus/lease';

// All candidates use the same ttlMs. The default, 3 s, suits a job that may pause for a moment; here the example shall be short.
const first = new RedisLease({ name: 'nightly-report', ttlMs: 600 });
const second = new RedisLease({ name: 'nightly-report', ttlMs: 600 });

first.on('gained', ({ token }) => console.log(`first works: ${token > 0}`));
second.on('gained', ({ signal }) => {
  console.log('second works');
  // Give it to whatever the job awaits: fetch(url, { signal }), a query, a stream.
  signal.addEventListener('abort', () => console.log('second stops'));
});

await first.start();
const held = new Promise<void>((resolve) => first.on('gained', () => resolve()));
await held;
await second.start();
console.log(`second holds it too: ${second.holds}`);

const passedOn = new Promise<void>((resolve) => second.on('gained', () => resolve()));
console.log(`given up in order: ${await first.release()}`);
await passedOn;

await Promise.all([first.close(), second.close()]);

// Prints:
// first works: true
// second holds it too: false
// given up in order: true
// second works
// second stops
