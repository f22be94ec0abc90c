// A mapping module that takes every frame for a heartbeat, for servers that send no prices. With ignored frames, the
// feed would reconnect.

export function read(): { kind: 'heartbeat' } {
  return { kind: 'heartbeat' };
}
