// The participants and what each requires. The code of each is `peers/NAME.ts`.

import { existsSync, readFileSync } from 'node:fs';
import type { ServerName } from './peers/peer.ts';
import { versionOf } from './servers.ts';

export interface Participant {
  readonly title: string;
  readonly server: ServerName;
  /** Packages that it requires, in benchmarks/node_modules. */
  readonly packages: readonly string[];
  /** Whether a separate process runs between server and subscribers. */
  readonly hasRelay?: true;
}

export const PARTICIPANTS = {
  tickbus: { title: 'tickbus', server: 'redis', packages: [] },
  'tickbus-shared': { title: 'tickbus, shared writer', server: 'redis', packages: [] },
  'tickbus-singly': { title: 'tickbus, a plain client listening', server: 'redis', packages: ['redis'] },
  'tickbus-unchecked': { title: 'tickbus, validate: false', server: 'redis', packages: [] },
  'tickbus-baseline': { title: 'tickbus, baseline', server: 'redis', packages: [] },
  'tickbus-16-partitions': { title: 'tickbus, 16 partitions', server: 'redis', packages: [] },
  'tickbus-64-partitions': { title: 'tickbus, 64 partitions', server: 'redis', packages: [] },
  'tickbus-cluster-16-partitions': {
    title: 'tickbus, 16 partitions on a cluster',
    server: 'redis-cluster',
    packages: [],
  },
  'tickbus-cluster-64-partitions': {
    title: 'tickbus, 64 partitions on a cluster',
    server: 'redis-cluster',
    packages: [],
  },
  'tickbus-trades': { title: 'tickbus, trades with a history by key', server: 'redis', packages: [] },
  'tickbus-bars': { title: 'tickbus, bars with a history by key', server: 'redis', packages: [] },
  'tickbus-beside-stalled': { title: 'tickbus, beside stalled consumers', server: 'redis', packages: [] },
  'node-redis': { title: 'node-redis', server: 'redis', packages: ['redis'] },
  'node-redis-parse': { title: 'node-redis, parsing only', server: 'redis', packages: ['redis'] },
  ioredis: { title: 'ioredis', server: 'redis', packages: ['ioredis-6'] },
  'ioredis-pipelining': { title: 'ioredis, auto-pipelining', server: 'redis', packages: ['ioredis-6'] },
  'valkey-glide': { title: 'valkey-glide', server: 'redis', packages: ['@valkey/valkey-glide'] },
  'raw-socket': { title: 'raw socket (floor)', server: 'redis', packages: [] },
  nestjs: { title: 'NestJS, Redis', server: 'redis', packages: ['@nestjs/microservices', 'ioredis'] },
  moleculer: { title: 'moleculer, Redis', server: 'redis', packages: ['moleculer', 'ioredis'] },
  graphql: {
    title: 'graphql-redis-subscriptions',
    server: 'redis',
    packages: ['graphql-redis-subscriptions', 'ioredis'],
  },
  'socket-io': {
    title: 'Socket.IO, Redis adapter',
    server: 'redis',
    packages: ['socket.io', '@socket.io/redis-adapter', '@socket.io/redis-emitter', 'socket.io-client'],
    hasRelay: true,
  },
  nats: { title: 'NATS core', server: 'nats', packages: ['@nats-io/transport-node'] },
  mqtt: { title: 'MQTT.js, mosquitto', server: 'mosquitto', packages: ['mqtt'] },
  'redis-benchmark': { title: 'redis-benchmark (floor)', server: 'redis', packages: [] },
  hgetall: { title: 'one HGETALL and parse', server: 'redis', packages: ['redis'] },
  xrevrange: { title: 'one XREVRANGE and parse', server: 'redis', packages: ['redis'] },
  nothing: { title: 'an empty process', server: 'redis', packages: [] },
} as const satisfies Readonly<Record<string, Participant>>;

export type ParticipantName = keyof typeof PARTICIPANTS;

export function participant(name: string): Participant {
  const found = (PARTICIPANTS as Readonly<Record<string, Participant>>)[name];
  if (found === undefined) throw new Error(`Unknown participant "${name}".`);
  return found;
}

/** Why the participant cannot run on this machine; undefined if it can. */
export function missingRequirement(name: string): string | undefined {
  const { server, packages } = participant(name);
  const absent = packages.find((packageName) => versionOfPackage(packageName) === undefined);
  if (absent !== undefined) return `the package ${absent} is not installed (npm run bench:install)`;
  if (versionOf(server) === undefined)
    return `the server of ${server} is not installed (npm run bench:install)`;
  return undefined;
}

/** The package versions for the results: `redis 6.3.1`. */
export function versionsOf(name: string): string {
  return participant(name)
    .packages.map((packageName) => `${packageName} ${versionOfPackage(packageName)}`)
    .join(', ');
}

function versionOfPackage(name: string): string | undefined {
  const file = new URL(`./node_modules/${name}/package.json`, import.meta.url);
  if (!existsSync(file)) return undefined;
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
