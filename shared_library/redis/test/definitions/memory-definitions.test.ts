import { MemoryConnection, MemoryServer } from '../../testing.ts';
import { describeComplaints } from './complaint-suite.ts';
import { describeConflicts } from './definition-suite.ts';

const server = new MemoryServer();
describeConflicts('memory', async () => new MemoryConnection({ server }));
describeComplaints('memory', async () => new MemoryConnection({ server }));
