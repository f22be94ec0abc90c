// Runs the bot until Ctrl-C or SIGTERM: npx tsx main.ts

import { movingAverage } from './moving-average.ts';

// An error prints what failed and what to do, without a stack trace.
process.on('uncaughtException', ({ message }) => {
  console.error(message);
  process.exit(1);
});

await movingAverage().run();
