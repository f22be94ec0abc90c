#!/usr/bin/env node
// Starts main.ts in the repository, from whatever folder it is called. In dist/ its place is taken by one that starts main.js.

import { register } from 'tsx/esm/api';

register();
await import('./main.ts');
