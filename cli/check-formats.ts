// Output formats of `check`: a text line, JSON, the Prometheus text format, and Nagios plugin output.

import { printable } from 'tickbus/admin';
import { type CheckMetric, type CheckResult, STATUS_CODES } from './checks.ts';

interface NamedResult extends CheckResult {
  /** `redis`, `feed`, `gateway`, `bot` or `channel`. */
  readonly check: string;
  /** Name of the feed or bot; undefined if the command line names none. */
  readonly name: string | undefined;
}

/** Maximum number of metrics in the output. The first ones are kept: they belong to the most severe results. */
const MAX_METRICS = 50;
const MAX_NAME_LENGTH = 128;
const MAX_SUMMARY_LENGTH = 1_000;

export const FORMATS = { text, json, prometheus, nagios } as const;
export type Format = keyof typeof FORMATS;

function text({ status, summary }: NamedResult): string {
  return `${status.toUpperCase()}: ${oneLine(summary)}.`;
}

function json({ check, name, status, summary, metrics }: NamedResult): string {
  const values = metrics
    .slice(0, MAX_METRICS)
    .map(({ name: metric, ms, warnMs, criticalMs }) => [
      printable(metric, MAX_NAME_LENGTH),
      { ms: rounded(ms), warn_ms: warnMs, critical_ms: criticalMs },
    ]);
  return JSON.stringify({
    check,
    ...(name && { name }),
    status,
    summary: printable(summary, MAX_SUMMARY_LENGTH),
    metrics: Object.fromEntries(values),
  });
}

/** For the textfile collector of the node exporter: https://prometheus.io/docs/instrumenting/exposition_formats */
function prometheus({ check, name, status, metrics }: NamedResult): string {
  const labels = Object.entries({ check, ...(name && { name }) });
  const lines = [
    '# HELP tickbus_check_status 0 ok, 1 warning, 2 critical, 3 unknown.',
    '# TYPE tickbus_check_status gauge',
    sample('tickbus_check_status', labels, STATUS_CODES[status]),
  ];
  if (metrics.length > 0) {
    lines.push(
      '# HELP tickbus_check_seconds The measured latency or age.',
      '# TYPE tickbus_check_seconds gauge',
    );
    for (const { name: metric, ms } of metrics.slice(0, MAX_METRICS))
      lines.push(sample('tickbus_check_seconds', [...labels, ['metric', metric]], seconds(ms)));
  }
  return lines.join('\n');
}

function sample(metric: string, labels: readonly (readonly string[])[], value: number): string {
  // `printable` escapes control characters, so no line break is left to escape.
  const escaped = (label = '') => printable(label, MAX_NAME_LENGTH).replace(/[\\"]/g, '\\$&');
  return `${metric}{${labels.map(([label, of]) => `${label}="${escaped(of)}"`).join(',')}} ${value}`;
}

/** `FEED OK - sentence | metric=0.4s;3;10;0`: https://nagios-plugins.org/doc/guidelines.html */
function nagios({ check, status, summary, metrics }: NamedResult): string {
  const line = `${check.toUpperCase()} ${status.toUpperCase()} - ${oneLine(summary).replaceAll('|', '/')}`;
  return metrics.length === 0
    ? line
    : `${line} | ${metrics.slice(0, MAX_METRICS).map(performanceData).join(' ')}`;
}

function performanceData({ name, ms, warnMs, criticalMs }: CheckMetric): string {
  const shown = printable(name, MAX_NAME_LENGTH);
  const label = /[\s='"|;]/.test(shown) ? `'${shown.replace(/['"=|;]/g, '_')}'` : shown;
  return `${label}=${seconds(ms)}s;${seconds(warnMs)};${seconds(criticalMs)};0`;
}

/** Rounds to a microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function seconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000_000;
}

function oneLine(sentence: string): string {
  return printable(sentence.replace(/\s+/g, ' '), MAX_SUMMARY_LENGTH);
}
