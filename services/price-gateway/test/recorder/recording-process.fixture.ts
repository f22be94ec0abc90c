// A process that records numbered frames until it is killed, and prints the number of written frames.
//   tsx recording-process.fixture.ts FOLDER

import { openRecorder } from '../../recorder/capture-recorder.ts';
import { SILENT } from '../gateway.fixture.ts';

const [, , folder = ''] = process.argv;
const recorder = await openRecorder({ folder, name: 'test', flushMs: 10, logger: SILENT });
for (let number = 0; ; number++) {
  recorder.write({ dir: 'in', json: JSON.stringify({ number, filling: 'x'.repeat(500) }) });
  if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  if (number % 50 === 0) process.stdout.write(`${recorder.stats.written}\n`);
}
