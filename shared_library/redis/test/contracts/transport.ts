// The contract of the Transport port: every adapter passes the same tests.

import { afterEach, beforeEach, describe } from 'vitest';
import { describeDemand } from './demand.ts';
import { describeLease } from './lease.ts';
import { describeLink } from './link.ts';
import { describePublish } from './publish.ts';
import { describeRead } from './read.ts';
import { describeSubscribe } from './subscribe.ts';
import { TransportBench, type TransportFixture } from './transport-bench.ts';

export function describeTransport(name: string, setUp: () => Promise<TransportFixture>): void {
  describe(`transport contract: ${name}`, () => {
    const bench = new TransportBench();
    beforeEach(() => bench.open(setUp));
    afterEach(() => bench.close());

    describePublish(bench);
    describeRead(bench);
    describeSubscribe(bench);
    describeLease(bench);
    describeDemand(bench);
    describeLink(bench);
  });
}
