// Findings about the server's clock and its latency.

import type { ClockReport } from 'tickbus/admin';
import type { DoctorFinding } from './finding.ts';

export function clockFindings(clock: ClockReport): DoctorFinding[] {
  return [clockOf(clock), latencyOf(clock)];
}

/**
 * Clocks matter for displayed latencies, and for commands of plain clients or before Redis first answers. Other
 * commands expire by the server's clock.
 */
function clockOf({ offsetMs, errorMs }: ClockReport): DoctorFinding {
  const subject = 'clock';
  const ahead = offsetMs > 0 ? 'ahead of' : 'behind';
  const found = `the server's clock is ${ms(Math.abs(offsetMs))} ${ahead} this machine's (± ${ms(errorMs)})`;
  const beyond = Math.abs(offsetMs) - errorMs;
  if (beyond < 1_000) return { subject, level: 'ok', found };
  const advice =
    'Displayed latencies are wrong, and commands of plain clients or before Redis first answers expire too early ' +
    "or too late. Other commands expire by the server's clock. Synchronise both clocks with NTP.";
  return { subject, level: beyond < 10_000 ? 'warn' : 'fail', found, advice };
}

function latencyOf({ roundTripsMs }: ClockReport): DoctorFinding {
  const subject = 'latency';
  const sorted = [...roundTripsMs].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const found = `median ${ms(median)} (${ms(sorted[0] ?? 0)} to ${ms(sorted.at(-1) ?? 0)}, ${sorted.length} samples)`;
  if (median < 10) return { subject, level: 'ok', found };
  return {
    subject,
    level: 'warn',
    found,
    advice: 'Each hop adds half of it to every message: run gateway, bots and Redis closer together.',
  };
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`;
}
