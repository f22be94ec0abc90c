// Misbehaviour on demand does what it says, and ends when it is told to.

import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SimulatedBroker, startSimulatedBroker } from '../broker.ts';
import { ManualSource, trade } from './manual-source.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';

let source: ManualSource;
let broker: SimulatedBroker;
let client: RawClient;

beforeEach(async () => {
  source = new ManualSource();
  broker = await startSimulatedBroker({ source });
  client = await RawClient.authenticated(broker.url);
  await client.request({ action: 'subscribe', trades: ['*'] });
});

afterEach(async () => {
  client.socket.terminate();
  await broker.close();
});

it('mute: says nothing but answers pings; what came meanwhile is lost', async () => {
  broker.faults.mute();
  source.push(trade(1));
  client.send({ action: 'subscribe', quotes: ['*'] });
  await client.roundTrip();
  expect(client.pending).toBe(0);
  broker.faults.recover();
  source.push(trade(2));
  expect(await client.next()).toMatchObject([{ T: 't', p: 2 }]);
});

it('mute: a new client is not even greeted', async () => {
  broker.faults.mute();
  using second = await RawClient.connect(broker.url);
  await second.roundTrip();
  expect(second.pending).toBe(0);
});

it('freeze: answers no ping, of present or new clients, until it recovers', async () => {
  let answered = 0;
  const ping = async ({ socket }: RawClient) => {
    socket.ping();
    await once(socket, 'pong');
    answered += 1;
  };
  broker.faults.freeze();
  const first = ping(client);
  using second = await RawClient.connect(broker.url);
  const next = ping(second);
  using _third = await RawClient.connect(broker.url);
  expect(answered).toBe(0);
  broker.faults.recover();
  await Promise.all([first, next]);
});

it('drop: cuts the connection without a close frame', async () => {
  broker.faults.drop();
  expect(await client.closed).toBe(1006);
});

it('close: closes with the given code', async () => {
  broker.faults.close(1012, 'service restart');
  expect(await client.closed).toBe(1012);
});

it('sendFrame: sends any content, garbage and 10 MB alike, and goes on', async () => {
  broker.faults.sendFrame('not JSON');
  broker.faults.sendFrame('x'.repeat(10 * 1024 * 1024));
  expect(await client.next()).toBe('not JSON');
  expect(await client.next()).toHaveLength(10 * 1024 * 1024);
  source.push(trade(1));
  expect(await client.next()).toMatchObject([{ T: 't', p: 1 }]);
});

it('sendHalfFrame: bytes arrive, a message never does', async () => {
  broker.faults.sendHalfFrame();
  broker.faults.drop();
  expect(await client.closed).toBe(1006);
  expect(client.pending).toBe(0);
});

it('sendError: sends the code, and closes where the broker would', async () => {
  broker.faults.sendError(405);
  expect(await client.next()).toEqual([{ T: 'error', code: 405, msg: 'symbol limit exceeded' }]);
  broker.faults.sendError(406);
  expect(await client.next()).toEqual([{ T: 'error', code: 406, msg: 'connection limit exceeded' }]);
  await client.closed;
});

it('failAuthentication: refuses right credentials until it recovers', async () => {
  broker.faults.failAuthentication(406);
  client.socket.close();
  using refused = await RawClient.connect(broker.url);
  refused.authenticate();
  expect(await refused.take(2)).toMatchObject([[{ msg: 'connected' }], [{ code: 406 }]]);
  await refused.closed;
  broker.faults.recover();
  using accepted = await RawClient.connect(broker.url);
  accepted.authenticate();
  expect(await accepted.take(2)).toMatchObject([[{ msg: 'connected' }], [{ msg: 'authenticated' }]]);
});
