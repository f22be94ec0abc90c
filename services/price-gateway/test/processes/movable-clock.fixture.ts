// Preloaded into a process: on SIGWINCH its system clock jumps an hour ahead, then two hours back, and so on;
// monotonic time goes on.

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
