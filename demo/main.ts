// `npm run demo`: prices from one broker connection reach three bots. Runs until Ctrl-C.

// Handles signals before the imports below, which take a moment to load.
let end: () => void = () => process.exit(0);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end());
// The reader of the output may exit first, as in `npm run demo | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const { readConfig } = await import('./config.ts');
const { run } = await import('./run.ts');

try {
  const config = readConfig(process.argv.slice(2), process.env);
  const stopRequested = new Promise<void>((resolve) => {
    // The first signal shuts down gracefully, a second one exits immediately. A second signal within 500 ms is ignored:
    // npm forwards the Ctrl-C that this process has received too.
    end = () => {
      const since = performance.now();
      end = () => performance.now() - since > 500 && process.exit(0);
      resolve();
    };
  });
  await run(config, stopRequested);
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (process.env.REDIS_URL) console.error('Without REDIS_URL, the demo starts a Redis of its own.');
  process.exit(1);
}
