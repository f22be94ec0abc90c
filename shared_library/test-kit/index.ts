// Shared test helpers. `ManualClock` and the in-memory server are in `tickbus/testing`.

export { deferred, errorOf, eventLoopTurns } from './async.ts';
export { EventRecorder } from './event-recorder.ts';
export { type RecordedLogLine, RecordingLogger, silentLogger } from './loggers.ts';
