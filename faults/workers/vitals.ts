// Preloaded into a program: measures the longest block of its event loop and its peak memory, for the parent process.

/** Measurements of the program. `reset-vitals` restarts `blockedMs`, but not `peakMb`. */
export interface Vitals extends Readonly<Record<string, unknown>> {
  readonly type: 'vitals';
  /**
   * The longest block of the event loop in milliseconds of CPU time. Time in which a busy machine runs other processes
   * does not count.
   */
  readonly blockedMs: number;
  /** Peak resident memory, MB. */
  readonly peakMb: number;
}

const SAMPLE_MS = 20;
const MB = 2 ** 20;

let lastAt = performance.now();
let lastCpu = process.cpuUsage();
let blockedMs = 0;

setInterval(sample, SAMPLE_MS).unref();
process.on('message', (message: { readonly type?: string }) => {
  if (message.type !== 'vitals' && message.type !== 'reset-vitals') return;
  sample();
  if (message.type === 'reset-vitals') blockedMs = 0;
  const { maxRSS } = process.resourceUsage();
  process.send?.({
    type: 'vitals',
    blockedMs: Math.round(blockedMs),
    peakMb: Math.round((maxRSS * 1024) / MB),
  });
});
// The program must be able to exit while the parent is alive.
process.channel?.unref();

function sample(): void {
  const now = performance.now();
  const cpu = process.cpuUsage();
  const usedMs = (cpu.user + cpu.system - lastCpu.user - lastCpu.system) / 1_000;
  blockedMs = Math.max(blockedMs, Math.min(now - lastAt, usedMs) - SAMPLE_MS);
  lastAt = now;
  lastCpu = cpu;
}
