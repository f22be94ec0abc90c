// Results as text tables for the terminal, and rows for the page.

import { type Figure, figureOf, ratioOf } from '../statistics.ts';
import { type ParticipantResult, valuesOf, type WorkloadResult } from '../workload-results.ts';
import type { Metric } from '../workloads/workload.ts';

export interface ParticipantRow {
  readonly title: string;
  /** By metric; undefined if not measured. */
  readonly figures: readonly (Figure | undefined)[];
  /** Ratio tickbus / participant of the first metric that has a ratio; undefined on the row of tickbus. */
  readonly ratio: Figure | undefined;
}

/** One row per participant, in the order of the workload. */
export function rowsOf(result: WorkloadResult): ParticipantRow[] {
  const [first] = result.metrics.filter(({ better }) => better !== undefined);
  const ours = result.participants.find(({ name }) => name === oursOf(result));
  return result.participants.map((participant) => ({
    title: participant.title,
    figures: result.metrics.map(({ name }) => figure(participant, name)),
    ratio: ours && participant !== ours && first ? ratioTo(ours, participant, first) : undefined,
  }));
}

/** The participant that the others are compared with: the first tickbus participant. */
export function oursOf({ participants }: WorkloadResult): string | undefined {
  return participants.find(({ name }) => name.startsWith('tickbus'))?.name;
}

/** For the terminal: medians in columns, the ratio with its range. */
export function table(result: WorkloadResult): string {
  const shown = result.metrics.filter((_, index) => rowsOf(result).some(({ figures }) => figures[index]));
  const head = ['', ...shown.map(({ title, unit }) => `${title} (${unit})`), 'tickbus / peer'];
  const body = rowsOf(result).map(({ title, figures, ratio }) => [
    title,
    ...shown.map((metric) => medianText(figures[result.metrics.indexOf(metric)])),
    ratio === undefined ? '' : rangeText(ratio),
  ]);
  return aligned([head, ...body]);
}

export function medianText(figure: Figure | undefined): string {
  return figure === undefined ? '-' : numberText(figure.median);
}

/** The median, with the smallest and the largest value in brackets. */
export function rangeText({ median, min, max }: Figure): string {
  return `${numberText(median)} (${numberText(min)} to ${numberText(max)})`;
}

/** Three significant digits, or a whole number from a thousand on. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en');
  if (Number.isInteger(value)) return String(value);
  return value.toPrecision(3);
}

function figure(participant: ParticipantResult, metric: string): Figure | undefined {
  const values = valuesOf(participant, metric).filter(Number.isFinite);
  return values.length === 0 ? undefined : figureOf(values);
}

function ratioTo(ours: ParticipantResult, theirs: ParticipantResult, { name }: Metric): Figure | undefined {
  return ratioOf(valuesOf(ours, name), valuesOf(theirs, name));
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n');
}
