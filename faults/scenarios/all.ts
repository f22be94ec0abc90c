// All scenarios, in the order of their numbers.

import type { Scenario } from '../scenario.ts';
import { asksOverCuts, asksOverMemoryLoss, asksOverRestarts } from './asks.ts';
import { clientKill, manyReconnect } from './cuts.ts';
import { nameTaken, writerCut, writerReplySwallowed } from './exclusive-link.ts';
import { olderSnapshot, promotedReplica, tornAppendOnlyFile } from './forgotten-tail.ts';
import { closeInBurst, comeAndGo, rejectingHandler, throwingHandler } from './handlers.ts';
import { hostileBroker, hostileWebSocket } from './hostile-broker.ts';
import { hostileBrowser } from './hostile-browser.ts';
import {
  hostileDemand,
  hostileFlood,
  hostileFrames,
  hostileNumbers,
  hostileStrings,
} from './hostile-peer.ts';
import { historyTrimmed, lastLost } from './losses.ts';
import { memoryFull } from './memory-full.ts';
import { hugeMessage, looksLikeProtocol } from './odd-messages.ts';
import { longOutage, replySwallowed, staleCommands } from './outages.ts';
import { presenceOfFifty, presenceOverRestart } from './presence.ts';
import { oneOrder } from './processes.ts';
import { flushedWhilePublishing, killAndRestart, memoryLost } from './restarts.ts';
import { credentialsRefused } from './revoked-credentials.ts';
import { withoutClientKill, withoutInfo } from './rights.ts';
import { blackholeBusy, blackholeIdle, idleAndHealthy, serverPaused } from './silent-links.ts';
import { eventLoopBlocked, slowAndFast } from './slow-handlers.ts';
import { raceOfSnapshot } from './snapshot-race.ts';
import { awayDuringTakeovers, candidatesRace, holderStopped, promotedAgain } from './takeovers.ts';

export const SCENARIOS: readonly Scenario[] = [
  killAndRestart,
  clientKill,
  serverPaused,
  blackholeIdle,
  blackholeBusy,
  idleAndHealthy,
  replySwallowed,
  longOutage,
  staleCommands,
  eventLoopBlocked,
  slowAndFast,
  hugeMessage,
  throwingHandler,
  rejectingHandler,
  looksLikeProtocol,
  raceOfSnapshot,
  lastLost,
  historyTrimmed,
  memoryLost,
  credentialsRefused,
  oneOrder,
  manyReconnect,
  comeAndGo,
  closeInBurst,
  olderSnapshot,
  tornAppendOnlyFile,
  flushedWhilePublishing,
  promotedReplica,
  promotedAgain,
  writerCut,
  writerReplySwallowed,
  holderStopped,
  candidatesRace,
  memoryFull,
  nameTaken,
  withoutClientKill,
  withoutInfo,
  awayDuringTakeovers,
  asksOverCuts,
  asksOverMemoryLoss,
  asksOverRestarts,
  hostileNumbers,
  hostileFrames,
  hostileStrings,
  hostileDemand,
  hostileFlood,
  hostileBroker,
  hostileWebSocket,
  hostileBrowser,
  presenceOfFifty,
  presenceOverRestart,
];
