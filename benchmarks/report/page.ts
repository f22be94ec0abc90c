// RESULTS.md and its charts, made of the data; nothing in it is written by hand but the notes that it includes.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { judge } from '../bar.ts';
import { type Result, readResults } from '../results.ts';
import { chartsOf } from './charts.ts';
import { barTable, resultSection } from './markdown.ts';

/** @param order of the workloads */
export async function writeResultsPage(folder: string, order: readonly string[]): Promise<void> {
  const full = readResults(join(folder, 'results'), order);
  const quick = readResults(join(folder, 'results/quick'), order);
  const charts = await writeCharts(join(folder, 'charts'), full);
  const notes = join(folder, 'notes.md');
  const parts = [
    '# Results\n\nMade by `npm run bench` from `results/*.json`; do not edit. How it is measured: [README.md](README.md).',
    ...(full.length === 0 ? [] : [machineParagraph(full), '## The bar', barTable(judge(full))]),
    ...(existsSync(notes) ? [readFileSync(notes, 'utf8').trim()] : []),
    ...full.map((result) => resultSection(result, charts.get(result.workload))),
    ...(quick.length === 0 ? [] : quickSection(quick)),
  ];
  writeFileSync(join(folder, 'RESULTS.md'), `${parts.join('\n\n')}\n`);
}

/** Returns the chart under which each workload is shown first, relative to the page. */
async function writeCharts(folder: string, results: readonly Result[]): Promise<Map<string, string>> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const links = new Map<string, string>();
  for (const { name, workload, title, svg } of await chartsOf(results)) {
    writeFileSync(join(folder, `${name}.svg`), svg);
    links.set(workload, `![${title}](charts/${name}.svg)`);
  }
  return links;
}

function machineParagraph(results: readonly Result[]): string {
  const [first] = results;
  if (first === undefined) return '';
  const { cpu, cores, memoryGb, system, node, servers } = first.machine;
  const versions = Object.entries(servers).map(([name, version]) => `${name}: ${version ?? 'not there'}`);
  return [
    `${cores} cores of ${cpu}, ${memoryGb} GB, ${system}, Node.js ${node}. ${versions.join('; ')}.`,
    'Figures are medians over the rounds, with the smallest and the largest in brackets. "tickbus over it" is taken pair by pair:',
    'for a rate above 1 is good for tickbus, for a time or a cost below 1.',
  ].join('\n');
}

function quickSection(results: readonly Result[]): string[] {
  const measured = results.map((result) => resultSection(result, undefined, '###'));
  return ['## The last quick run', barTable(judge(results)), ...measured];
}
