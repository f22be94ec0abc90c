// A bot as a program, for the tests of `run`. Arguments: `hang` for a command that never ends.

import { defineBot } from '../../bot.ts';

const bot = defineBot({ name: 'program', statusIntervalMs: 200 }).onCommand('cancel_all', () =>
  process.argv.includes('hang') ? new Promise(() => {}) : { outcome: 'done' },
);
await bot.run();
process.stdout.write(`${JSON.stringify(bot.stats)}\n`);
