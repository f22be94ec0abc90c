// Preloaded into a process: each SIGWINCH moves its system clock, alternately to one hour ahead and one hour behind.
// The monotonic clock is not affected.

const HOUR_MS = 3_600_000;
const SystemDate = Date;
let aheadMs = 0;

class MovedDate extends SystemDate {
  constructor(...args: [] | ConstructorParameters<typeof Date>) {
    if (args.length === 0) super(SystemDate.now() + aheadMs);
    else super(...args);
  }

  static override now(): number {
    return SystemDate.now() + aheadMs;
  }
}

globalThis.Date = MovedDate as DateConstructor;
process.on('SIGWINCH', () => {
  aheadMs = aheadMs > 0 ? -HOUR_MS : HOUR_MS;
});
