// Results of a run, as text lines and as one JSON object.

import { addFigures, type Figures, noFigures } from '@tickbus/fault-kit/check';

export interface ScenarioResult {
  readonly name: string;
  readonly passed: boolean;
  readonly ms: number;
  readonly figures: Figures;
  /** Measurements. */
  readonly notes: readonly string[];
  /** Reasons of the failure; empty if the scenario passed. */
  readonly problems: readonly string[];
}

export interface FaultsSummary extends Figures {
  readonly tests: number;
  readonly passed: number;
  readonly seed: number;
  readonly quick: boolean;
  readonly seconds: number;
  readonly results: readonly ScenarioResult[];
}

export interface RunParameters {
  readonly seed: number;
  readonly quick: boolean;
  readonly seconds: number;
}

export function summarize(results: readonly ScenarioResult[], run: RunParameters): FaultsSummary {
  const figures = noFigures();
  for (const result of results) addFigures(figures, result.figures);
  const passed = results.filter((result) => result.passed).length;
  return { tests: results.length, passed, ...figures, ...run, results };
}

/** One line per result, followed by its notes and problems. */
export function resultLine({ name, passed, ms, figures, notes, problems }: ScenarioResult): string {
  const { published, delivered, reported_lost, silent_lost } = figures;
  const lost = `reported lost ${reported_lost}, silent ${silent_lost}`;
  const counts = `published ${published}, delivered ${delivered}, ${lost}`;
  const line = `${passed ? 'ok  ' : 'FAIL'} ${name.padEnd(32)} ${(ms / 1_000).toFixed(1).padStart(6)} s  ${counts}`;
  const more = [...notes, ...problems.map((problem) => `! ${problem}`)];
  return [line, ...more.map((text) => `       ${text.replaceAll('\n', '\n         ')}`)].join('\n');
}

export function summaryLines(summary: FaultsSummary): string {
  const { tests, passed, seconds, seed, published, delivered, reported_lost } = summary;
  const { silent_lost, duplicates, out_of_order, made_up, inexact } = summary;
  const damage = { silent_lost, duplicates, out_of_order, made_up, inexact };
  return [
    '',
    `${passed} of ${tests} passed in ${seconds} s, seed ${seed}.`,
    `${published} messages published, ${delivered} delivered to handlers, ${reported_lost} reported lost.`,
    Object.entries(damage)
      .map(([name, count]) => `${name.replaceAll('_', ' ')}: ${count}`)
      .join(', '),
  ].join('\n');
}
