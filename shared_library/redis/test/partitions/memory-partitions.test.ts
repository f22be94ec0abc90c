import { MemoryConnection } from '../../testing.ts';
import { describePartitions } from './partitions-contract.ts';

describePartitions('memory', async () => new MemoryConnection());
