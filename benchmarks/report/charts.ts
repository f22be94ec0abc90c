// Draws charts with Vega-Lite, without a browser.

import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { figureOf } from '../statistics.ts';
import { type ParticipantResult, valuesOf, type WorkloadResult } from '../workload-results.ts';
import type { Metric } from '../workloads/workload.ts';

export interface Chart {
  readonly name: string;
  /** The workload whose section shows the chart. */
  readonly workload: string;
  readonly title: string;
  readonly svg: string;
}

interface Point {
  readonly who: string;
  readonly series: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Groups of workloads that differ in one number: prefix of their names, title of that number, and shown metric. */
const FAMILIES: readonly (readonly [prefix: string, axis: string, metric: string])[] = [
  ['fan_out_', 'subscribers', 'deliveries'],
  ['size_', 'message size in bytes', 'rate'],
];

/** One chart for each family of workloads, and one for each other workload. */
export async function chartsOf(results: readonly WorkloadResult[]): Promise<Chart[]> {
  const charts: Chart[] = [];
  for (const [prefix, axis, metric] of FAMILIES) {
    const family = results.filter(({ workload }) => workload.startsWith(prefix));
    const [first] = family;
    if (first === undefined) continue;
    const name = prefix.slice(0, -1);
    const title = `${metricOf(first, metric).title} by ${axis}`;
    charts.push({
      name,
      workload: first.workload,
      title,
      svg: await draw(familySpec(family, prefix, axis, metric)),
    });
  }
  for (const result of results) {
    if (FAMILIES.some(([prefix]) => result.workload.startsWith(prefix))) continue;
    const { workload, title } = result;
    charts.push({ name: workload, workload, title, svg: await draw(barSpec(result)) });
  }
  return charts;
}

async function draw(spec: TopLevelSpec): Promise<string> {
  const svg = await new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
  return `${svg}\n`;
}

const STYLE = {
  background: 'white',
  config: { font: 'sans-serif', view: { stroke: null }, axis: { grid: true, labelLimit: 240 } },
} as const;

/** Bars with the median, and a line from the smallest to the largest run. Latency charts show p50 and p99. */
function barSpec(result: WorkloadResult): TopLevelSpec {
  const metrics = chartedMetrics(result);
  const values = result.participants.flatMap((one) => metrics.flatMap((metric) => pointOf(one, metric)));
  const unit = metrics[0]?.unit ?? '';
  const y = { field: 'who', type: 'nominal', sort: null, title: null } as const;
  const offset = metrics.length > 1 ? { yOffset: { field: 'series' } } : {};
  return {
    ...STYLE,
    width: 560,
    height: { step: metrics.length > 1 ? 14 : 24 },
    data: { values },
    layer: [
      {
        mark: { type: 'bar' },
        encoding: {
          y,
          ...offset,
          x: { field: 'median', type: 'quantitative', title: unit },
          color:
            metrics.length > 1
              ? { field: 'series', type: 'nominal', title: null }
              : {
                  condition: { test: "indexof(datum.who, 'tickbus') === 0", value: '#c4501b' },
                  value: '#5b7c99',
                },
        },
      },
      {
        mark: { type: 'rule', color: '#222' },
        encoding: { y, ...offset, x: { field: 'min', type: 'quantitative' }, x2: { field: 'max' } },
      },
    ],
  } as TopLevelSpec;
}

/** One line per participant, over the number in which the workloads differ. */
function familySpec(
  family: readonly WorkloadResult[],
  prefix: string,
  axis: string,
  metric: string,
): TopLevelSpec {
  const [first] = family;
  const unit = first === undefined ? '' : metricOf(first, metric).unit;
  const values = family.flatMap((result) =>
    result.participants.flatMap((one) =>
      pointOf(one, metricOf(result, metric)).map((point) => ({
        ...point,
        x: Number(result.workload.slice(prefix.length)),
      })),
    ),
  );
  const x = { field: 'x', type: 'ordinal', title: axis, axis: { labelAngle: 0 } } as const;
  const color = { field: 'who', type: 'nominal', title: null, sort: null } as const;
  return {
    ...STYLE,
    width: 520,
    height: 280,
    data: { values },
    layer: [
      {
        mark: { type: 'line', point: true },
        encoding: { x, color, y: { field: 'median', type: 'quantitative', title: unit } },
      },
      {
        mark: { type: 'rule' },
        encoding: { x, color, y: { field: 'min', type: 'quantitative' }, y2: { field: 'max' } },
      },
    ],
  } as TopLevelSpec;
}

/** The first metric that has a ratio; p50 and p99 for latencies. */
function chartedMetrics(result: WorkloadResult): readonly Metric[] {
  const compared = result.metrics.filter(({ better }) => better !== undefined);
  const percentiles = compared.filter(({ name }) => name === 'p50' || name === 'p99');
  if (percentiles.length === 2 && compared[0]?.name === 'p50') return percentiles;
  return compared.slice(0, 1);
}

function metricOf(result: WorkloadResult, name: string): Metric {
  return result.metrics.find((metric) => metric.name === name) ?? { name, title: name, unit: '' };
}

function pointOf(participant: ParticipantResult, metric: Metric): Point[] {
  const values = valuesOf(participant, metric.name).filter(Number.isFinite);
  if (values.length === 0) return [];
  const { median, min, max } = figureOf(values);
  return [{ who: participant.title, series: metric.title, median, min, max }];
}
