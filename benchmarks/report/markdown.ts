// Results as Markdown tables.

import { type BarVerdict, limitText } from '../bar.ts';
import { participant } from '../participants.ts';
import type { WorkloadResult } from '../workload-results.ts';
import { rangeText, rowsOf } from './text.ts';

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join(
    '\n',
  );
}

export function barTable(verdicts: readonly BarVerdict[]): string {
  const rows = verdicts.map(({ title, against, limit, ratio, isPassed }) => [
    title,
    against === 'none' ? '' : participant(against).title,
    limitText(limit),
    ratio === undefined ? 'not measured' : rangeText(ratio),
    isPassed === undefined ? '' : isPassed ? 'passed' : '**missed**',
  ]);
  return markdownTable(['what', 'against', 'bar', 'measured', ''], rows);
}

/** @param chart a Markdown link to the chart of the workload */
export function resultSection(result: WorkloadResult, chart: string | undefined): string {
  const { title, about, pairs, secondsARun, seed, measuredAt, machine, skipped } = result;
  const rows = rowsOf(result);
  const shown = result.metrics
    .map((_, index) => index)
    .filter((index) => rows.some(({ figures }) => figures[index]));
  const head = ['', ...shown.map((index) => headOf(result, index)), 'tickbus / peer'];
  const body = rows.map(({ title: who, figures, ratio }) => [
    who,
    ...shown.map((index) => cell(figures[index])),
    cell(ratio),
  ]);
  return [
    `## ${title}`,
    about,
    ...(chart === undefined ? [] : [chart]),
    markdownTable(head, body),
    ...skipped.map((one) => `Skipped: ${participant(one.participant).title}, because ${one.why}.`),
    `\`${result.workload}\`, ${measuredAt.slice(0, 16).replace('T', ' ')} UTC, ` +
      `${pairs} rounds of ${secondsARun} s, seed ${seed}, load before ${machine.loadBefore}.`,
  ].join('\n\n');
}

function headOf(result: WorkloadResult, index: number): string {
  const metric = result.metrics[index];
  return metric === undefined ? '' : `${metric.title}, ${metric.unit}`;
}

function cell(figure: Parameters<typeof rangeText>[0] | undefined): string {
  if (figure === undefined) return '';
  return figure.min === figure.max ? rangeText(figure).replace(/ \(.*/, '') : rangeText(figure);
}
