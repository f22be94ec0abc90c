// Runs the bot until Ctrl-C or SIGTERM: npx tsx main.ts

import { movingAverage } from './moving-average.ts';

await movingAverage().run();
