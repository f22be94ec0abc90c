// Each injected fault has its effect, and ends with `recover`.

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

it('mute: sends nothing but pongs; suppressed messages are lost', async () => {
  broker.faults.mute();
  source.push(trade(1));
  client.send({ action: 'subscribe', quotes: ['*'] });
  await client.roundTrip();
  expect(client.pending).toBe(0);
  broker.faults.recover();
  source.push(trade(2));
  expect(await client.next()).toMatchObject([{ T: 't', p: 2 }]);
});

it('mute: sends no greeting to a new client', async () => {
  broker.faults.mute();
  using second = await RawClient.connect(broker.url);
  await second.roundTrip();
  expect(second.pending).toBe(0);
});

it('freeze: answers no ping of current or new clients until recover', async () => {
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

it('sendFrame: sends any content, such as garbage and 10 MB, and continues', async () => {
  broker.faults.sendFrame('not JSON');
  broker.faults.sendFrame('x'.repeat(10 * 1024 * 1024));
  expect(await client.next()).toBe('not JSON');
  expect(await client.next()).toHaveLength(10 * 1024 * 1024);
  source.push(trade(1));
  expect(await client.next()).toMatchObject([{ T: 't', p: 1 }]);
});

it('sendHalfFrame: the client receives bytes but no message', async () => {
  broker.faults.sendHalfFrame();
  broker.faults.drop();
  expect(await client.closed).toBe(1006);
  expect(client.pending).toBe(0);
});

it('sendError: sends the code, and closes if the error requires it', async () => {
  broker.faults.sendError(405);
  expect(await client.next()).toEqual([{ T: 'error', code: 405, msg: 'symbol limit exceeded' }]);
  broker.faults.sendError(406);
  expect(await client.next()).toEqual([{ T: 'error', code: 406, msg: 'connection limit exceeded' }]);
  await client.closed;
});

it('failAuthentication: rejects correct credentials until recover', async () => {
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
