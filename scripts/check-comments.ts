// npm run check:comments: fails if a comment line ends after column 120. Biome formats code and has no such rule.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { longCommentLines, MAX_COMMENT_COLUMNS } from './comment-lines.ts';

const CHECKED = /\.([mc]?[jt]sx?|ya?ml|sh)$|(^|\/)Dockerfile$|^\.ci\//;

const listing = execFileSync('git', [
  'ls-files',
  '--cached',
  '--others',
  '--exclude-standard',
  '--deduplicate',
]);
const deleted = new Set(String(execFileSync('git', ['ls-files', '--deleted'])).split('\n'));
const files = String(listing)
  .split('\n')
  .filter((file) => CHECKED.test(file) && !deleted.has(file));
const found = files.flatMap((file) =>
  longCommentLines(file, readFileSync(file, 'utf8')).map((line) => `${file}:${line}`),
);
if (found.length > 0) {
  console.error(
    `${found.join('\n')}\n\n${found.length} comment lines end after column ${MAX_COMMENT_COLUMNS}.`,
  );
  process.exitCode = 1;
} else {
  console.log(`Comment lines of ${files.length} files end by column ${MAX_COMMENT_COLUMNS}.`);
}
