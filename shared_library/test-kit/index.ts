// What the tests of every package share. `ManualClock` and the in-memory server come from `tickbus/testing`.

export { deferred, errorOf, eventLoopTurns } from './async.ts';
export { EventRecorder } from './event-recorder.ts';
export { type LogLine, RecordingLogger, silentLogger } from './loggers.ts';
