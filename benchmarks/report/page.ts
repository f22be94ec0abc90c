// Writes RESULTS.md and its charts from the data of one whole run. It includes notes.md, which is written by hand.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { judge } from '../bar.ts';
import type { WorkloadResult } from '../workload-results.ts';
import { chartsOf } from './charts.ts';
import { barTable, resultSection } from './markdown.ts';

/** @param results the results of every workload, in the order of the page */
export async function writeResultsPage(folder: string, results: readonly WorkloadResult[]): Promise<void> {
  const charts = await writeCharts(join(folder, 'charts'), results);
  const notes = join(folder, 'notes.md');
  const parts = [
    '# Results\n\nWritten by `npm run bench`; do not edit. How it is measured: [README.md](README.md).',
    machineParagraph(results),
    '## The bar',
    barTable(judge(results)),
    ...(existsSync(notes) ? [readFileSync(notes, 'utf8').trim()] : []),
    ...results.map((result) => resultSection(result, charts.get(result.workload))),
  ];
  writeFileSync(join(folder, 'RESULTS.md'), `${parts.join('\n\n')}\n`);
}

/** Returns the Markdown link to the chart of each workload that has a chart. */
async function writeCharts(folder: string, results: readonly WorkloadResult[]): Promise<Map<string, string>> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const links = new Map<string, string>();
  for (const { name, workload, title, svg } of await chartsOf(results)) {
    writeFileSync(join(folder, `${name}.svg`), svg);
    links.set(workload, `![${title}](charts/${name}.svg)`);
  }
  return links;
}

function machineParagraph(results: readonly WorkloadResult[]): string {
  const [first] = results;
  if (first === undefined) return '';
  const { cpu, cores, memoryGb, system, node, servers } = first.machine;
  const versions = Object.entries(servers).map(([name, version]) => `${name}: ${version ?? 'not installed'}`);
  return [
    `${cores} cores of ${cpu}, ${memoryGb} GB, ${system}, Node.js ${node}. ${versions.join('; ')}.`,
    'Figures are medians over the rounds, with the smallest and the largest in brackets.',
    '"tickbus / peer" is a ratio per pair: above 1 is better for a rate, below 1 for a time or a cost.',
  ].join('\n');
}
