// `npm run demo`: one broker connection in, three bots out, in one process; shows what is going on until Ctrl-C.

// First of all, because loading the rest takes a moment in which Ctrl-C should end it just as well.
let end: () => void = () => process.exit(0);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end());
// Whoever read the output has gone, as in `npm run demo | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const { readConfig } = await import('./config.ts');
const { run } = await import('./run.ts');

try {
  const config = readConfig(process.argv.slice(2), process.env);
  const asked = new Promise<void>((resolve) => {
    // The first signal ends it in order, a second one at once; but npm passes on the very Ctrl-C that reached us as well.
    end = () => {
      const since = performance.now();
      end = () => performance.now() - since > 500 && process.exit(0);
      resolve();
    };
  });
  await run(config, asked);
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
