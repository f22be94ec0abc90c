import { MemoryConnection } from '../../testing.ts';
import { describePartitions } from './partitioned-channel.ts';

describePartitions('memory', async () => new MemoryConnection());
