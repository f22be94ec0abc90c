// Contract of the Transport port: both transports pass the same tests.

import { afterEach, beforeEach, describe } from 'vitest';
import { describeAdoption } from './adoption-contract.ts';
import { describeDefinitions } from './definition-contract.ts';
import { describeDemand } from './demand-contract.ts';
import { describeHistory } from './history-contract.ts';
import { describeLastValues } from './last-values-contract.ts';
import { describeLease } from './lease-contract.ts';
import { describeLink } from './link-contract.ts';
import { describePartitions } from './partitions-contract.ts';
import { describePublish } from './publish-contract.ts';
import { describeRead } from './read-contract.ts';
import { describeSubscribe } from './subscribe-contract.ts';
import { ContractHarness, type TransportFixture } from './transport.fixture.ts';

export function describeTransport(name: string, setUp: () => Promise<TransportFixture>): void {
  describe(`transport contract: ${name}`, () => {
    const harness = new ContractHarness();
    beforeEach(() => harness.open(setUp));
    afterEach(() => harness.close());

    describePublish(harness);
    describeRead(harness);
    describeHistory(harness);
    describeLastValues(harness);
    describeAdoption(harness);
    describeSubscribe(harness);
    describeLease(harness);
    describePartitions(harness);
    describeDefinitions(harness);
    describeDemand(harness);
    describeLink(harness);
  });
}
