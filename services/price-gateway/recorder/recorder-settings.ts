// The recorder's settings, and the recorder that they configure.

import { text, wholeNumber } from '@tickbus/settings/fields';
import type { Logger } from 'tickbus';
import type { z } from 'zod';
import { type CaptureRecorder, openRecorder } from './capture-recorder.ts';

export const RECORDER_SETTINGS = {
  RECORD_TO: text('a folder')
    .optional()
    .describe('folder in which to record all frames of the feed (default: no recording)'),
  RECORD_MAX_MB: wholeNumber(1, 1_000_000)
    .default(100)
    .describe('compressed size in MiB at which the next file starts (default 100)'),
  RECORD_MAX_MINUTES: wholeNumber(1, 525_600)
    .default(60)
    .describe('minutes after which the next file starts (default 60)'),
} satisfies z.ZodRawShape;

type RecorderSettings = z.infer<z.ZodObject<typeof RECORDER_SETTINGS>>;

/**
 * Opens the recorder; undefined if RECORD_TO is not set.
 *
 * @throws Error if the folder is not writable
 */
export async function recorderFor(
  { RECORD_TO: folder, RECORD_MAX_MB, RECORD_MAX_MINUTES }: RecorderSettings,
  options: { readonly name: string; readonly secrets: readonly string[]; readonly logger: Logger },
): Promise<CaptureRecorder | undefined> {
  if (folder === undefined) return undefined;
  const maxFileBytes = RECORD_MAX_MB * 1024 * 1024;
  return openRecorder({ folder, maxFileBytes, maxFileMs: RECORD_MAX_MINUTES * 60_000, ...options });
}
