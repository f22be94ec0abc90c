// The tests of whole programs: the npm packages, built, packed and installed into an empty folder, the demo, and the
// code in the documents.

import { defineConfig } from 'vitest/config';
import base, { SLOW } from './vitest.config.ts';

export default defineConfig({ ...base, test: { ...base.test, include: SLOW, exclude: ['dist/**'] } });
