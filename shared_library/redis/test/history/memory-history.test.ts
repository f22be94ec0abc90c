import { MemoryConnection, MemoryServer } from '../../testing.ts';
import { describeHistories } from './history-suite.ts';

const server = new MemoryServer();
describeHistories('memory', async () => new MemoryConnection({ server }), 20);
