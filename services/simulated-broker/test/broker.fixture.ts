// Starts simulated brokers with a manual price source, and closes them after each test.

import { onTestFinished } from 'vitest';
import { type SimulatedBrokerOptions, startSimulatedBroker } from '../broker.ts';
import { ManualSource } from './manual-source.fixture.ts';

export const CONNECTED = [{ T: 'success', msg: 'connected' }];
export const AUTHENTICATED = [{ T: 'success', msg: 'authenticated' }];
export const NO_SUBSCRIPTIONS = {
  T: 'subscription',
  trades: [],
  quotes: [],
  bars: [],
  updatedBars: [],
  dailyBars: [],
  statuses: [],
  lulds: [],
  imbalances: [],
  corrections: [],
  cancelErrors: [],
};

export async function startBroker(options: SimulatedBrokerOptions = {}) {
  const source = new ManualSource();
  const broker = await startSimulatedBroker({ source, ...options });
  onTestFinished(() => broker.close());
  return { broker, source, url: broker.url, port: broker.port };
}

/** The frame with one error message. */
export function errorFrame(code: number, msg: string): unknown {
  return [{ T: 'error', code, msg }];
}
