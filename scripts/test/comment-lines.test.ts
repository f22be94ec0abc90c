import { expect, it } from 'vitest';
import { longCommentLines } from '../comment-lines.ts';

const LONG = 'word '.repeat(30);

it.each([
  ['a line comment', 'a.ts', `// ${LONG}`, [1]],
  ['a line comment after code', 'a.ts', `const a = 1; // ${LONG}`, [1]],
  ['one line of a doc comment', 'a.ts', `/**\n * short\n * ${LONG}\n */\nconst a = 1;`, [3]],
  ['a comment before a closing brace', 'a.mjs', `if (a) {\n  // ${LONG}\n}`, [2]],
  ['a comment in JSX', 'a.tsx', `const a = <b>{/* ${LONG} */}</b>;`, [1]],
  ['a Lua comment', 'a.ts', `const script = \`\n-- ${LONG}\n\`;`, [2]],
  ['a comment in YAML', 'a.yml', `key: value # ${LONG}`, [1]],
  ['a comment in a shell script', '.ci/run', `#!/bin/sh\n# ${LONG}`, [2]],
  ['no string', 'a.ts', `const a = 'http://${LONG}';`, []],
  ['no text of an element', 'a.tsx', `const a = <i>// short</i>;\nconst b = <b>// ${LONG}</b>;`, []],
  ['no code', 'a.sh', `echo ${LONG}`, []],
] as const)('finds %s', (_, file, text, lines) => {
  expect(longCommentLines(file, text)).toEqual(lines);
});
