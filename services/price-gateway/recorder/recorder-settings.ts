// The recorder's settings, each the variable of its name, and the recorder that they ask for.

import type { Logger } from 'tickbus';
import type { z } from 'zod';
import { text, wholeNumber } from '../feeds/setting.ts';
import { type CaptureRecorder, openRecorder } from './capture-recorder.ts';

export const RECORDER_SETTINGS = {
  RECORD_TO: text('a folder')
    .optional()
    .describe('folder in which all that the feed receives and sends is recorded (default: nothing is)'),
  RECORD_MAX_MB: wholeNumber(1, 1_000_000)
    .default(100)
    .describe('compressed size after which the next file begins (default 100)'),
  RECORD_MAX_MINUTES: wholeNumber(1, 525_600)
    .default(60)
    .describe('minutes after which the next file begins (default 60)'),
} satisfies z.ZodRawShape;

type RecorderSettings = z.infer<z.ZodObject<typeof RECORDER_SETTINGS>>;

/**
 * The recorder; undefined when nothing is to be recorded.
 *
 * @param name of the feed
 * @param secrets that may not be written down
 * @throws Error when the folder cannot be written to
 */
export async function recorderFor(
  { RECORD_TO: folder, RECORD_MAX_MB, RECORD_MAX_MINUTES }: RecorderSettings,
  about: { readonly name: string; readonly secrets: readonly string[]; readonly logger: Logger },
): Promise<CaptureRecorder | undefined> {
  if (folder === undefined) return undefined;
  const maxFileBytes = RECORD_MAX_MB * 1024 * 1024;
  return openRecorder({ folder, maxFileBytes, maxFileMs: RECORD_MAX_MINUTES * 60_000, ...about });
}
