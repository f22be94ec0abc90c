// Test support for bots: an in-memory server, links that can be disconnected, a manual clock, and a scripted gateway.

export { ManualClock } from './runtime/manual-clock.ts';
export { MemoryConnection, type MemoryConnectionOptions } from './testing/memory-connection.ts';
export type { ScriptedQuote } from './testing/scripted-book.ts';
export {
  ScriptedGateway,
  type ScriptedGatewayOptions,
  type ScriptedTrade,
} from './testing/scripted-gateway.ts';
export type { ScriptedFeedState } from './testing/scripted-session.ts';
export { MemoryServer } from './transport/memory/memory-server.ts';
