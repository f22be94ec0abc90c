#!/usr/bin/env node
// Starts main.ts in the repository, from any working directory. dist/ has a launcher that starts main.js instead.

import { register } from 'tsx/esm/api';

register();
await import('./main.ts');
