// A hostile peer: a program with the password of a bot attacks a desk.

import { checkDesk } from '../hostile/check-desk.ts';
import { BOT, Desk, START_MS } from '../hostile/desk.ts';
import { PEER_TACTICS, type PeerTactic } from '../hostile/peer-tactics.ts';
import { urlOf } from '../hostile/production-users.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { HostilePeerReport, HostilePeerSettings } from '../workers/hostile-peer-process.ts';

interface PeerAttack {
  readonly tactics: readonly PeerTactic[];
  readonly seconds: number;
  readonly perSecond?: number;
  readonly demandedKeys?: number;
}

async function attack(testbed: Testbed, { seconds, ...rest }: PeerAttack): Promise<void> {
  const desk = await Desk.open(testbed);
  desk.page.begin();
  const settings: HostilePeerSettings = {
    url: urlOf('bot', testbed.redis.port),
    seed: testbed.random.int(0, 2 ** 30),
    bot: BOT,
    ...rest,
  };
  const peer = new WorkerProcess('hostile-peer-process', { ...settings });
  testbed.atEnd(() => peer.kill());
  await peer.receive('ready', START_MS);
  await delay(seconds * 1_000);
  peer.send({ type: 'stop' });
  const { sent, megabytes, refused, demand } = await peer.receive<HostilePeerReport>('stopped');
  testbed.note(
    `sent ${JSON.stringify(sent)}, ${megabytes} MB, refused ${refused}${demand === undefined ? '' : `, demand: ${demand}`}`,
  );
  await desk.commands.stop();
  await desk.page.stop();
  await checkDesk(desk);
}

export const hostileNumbers: Scenario = {
  name: '39-hostile-numbers',
  group: 'hostile',
  expected:
    "Forged and copied numbers on TRADE_COMMANDS hide no operator's command: each is handled or reported.",
  shortened: '3 s',
  run: (testbed) =>
    attack(testbed, {
      tactics: ['numbers', 'copies', 'unnumbered'],
      perSecond: 500,
      seconds: testbed.scaled(8, 3),
    }),
};

export const hostileFrames: Scenario = {
  name: '40-hostile-frames',
  group: 'hostile',
  expected:
    'Frames of up to 349,000 documents, deep documents and garbage block no listener and fill no log.',
  shortened: '3 s',
  run: (testbed) =>
    attack(testbed, { tactics: ['frames', 'garbage'], perSecond: 60, seconds: testbed.scaled(8, 3) }),
};

export const hostileStrings: Scenario = {
  name: '41-hostile-strings',
  group: 'hostile',
  expected:
    'Senders, ids and types of 255 KB and thousands of invented bots leave bots and monitor within their memory limits.',
  shortened: '4 s',
  run: (testbed) =>
    attack(testbed, { tactics: ['strings', 'bots'], perSecond: 2_000, seconds: testbed.scaled(12, 4) }),
};

export const hostileDemand: Scenario = {
  name: '42-hostile-demand',
  group: 'hostile',
  expected: 'A peer that requests 60,000 invented symbols neither blocks the gateway nor takes its lease.',
  shortened: '5 s',
  run: (testbed) => attack(testbed, { tactics: [], demandedKeys: 60_000, seconds: testbed.scaled(15, 5) }),
};

export const hostileFlood: Scenario = {
  name: '43-hostile-flood',
  group: 'hostile',
  expected:
    'A flood of every kind at full speed beside a normal feed: prices stay fresh, losses are reported.',
  shortened: '4 s; see --flood-seconds',
  run: (testbed) =>
    attack(testbed, {
      tactics: Object.keys(PEER_TACTICS) as PeerTactic[],
      seconds: testbed.floodSeconds ?? testbed.scaled(15, 4),
    }),
};
