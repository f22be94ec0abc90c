import { MemoryConnection, MemoryServer } from '../../testing.ts';
import { describeConflicts } from './definition-suite.ts';

const server = new MemoryServer();
describeConflicts('memory', async () => new MemoryConnection({ server }));
