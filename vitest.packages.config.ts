// Tests of the npm packages as users get them: built, packed and installed into an empty folder.

import { defineConfig } from 'vitest/config';
import base, { PACKAGES } from './vitest.config.ts';

export default defineConfig({ ...base, test: { ...base.test, include: [PACKAGES], exclude: ['dist/**'] } });
