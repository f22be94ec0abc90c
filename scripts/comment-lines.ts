// Finds the comment lines of a source file that are too long.

import ts from 'typescript';

export const MAX_COMMENT_COLUMNS = 120;

/** The numbers of the lines, from 1, that hold a comment and end after column 120. */
export function longCommentLines(file: string, text: string): number[] {
  const isCommented = /\.[mc]?[jt]sx?$/.test(file) ? scriptComments(file, text) : hashComments;
  return text
    .split('\n')
    .flatMap((line, index) =>
      line.length > MAX_COMMENT_COLUMNS && isCommented(line, index) ? [index + 1] : [],
    );
}

type CommentTest = (line: string, index: number) => boolean;

/** For YAML, shell scripts and Dockerfiles. A `#` between blanks counts as a comment even within a string. */
const hashComments: CommentTest = (line) => /(^|\s)#\s/.test(line);

function scriptComments(file: string, text: string): CommentTest {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const elementTexts = startsOfElementTexts(source);
  const commented = new Set<number>();
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  const add = (from: number, to: number) => {
    for (let line = lineAt(from); line <= lineAt(to); line++) commented.add(line);
  };
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.JsxText) return;
    ts.forEachLeadingCommentRange(text, node.pos, add);
    if (!elementTexts.has(node.end)) ts.forEachTrailingCommentRange(text, node.end, add);
    for (const child of node.getChildren(source)) visit(child);
  };
  visit(source);
  // Redis scripts are template strings: their Lua comments are checked too.
  return (line, index) => commented.has(index) || /^\s*--\s/.test(line);
}

/** The positions where texts of JSX elements start. Such a text can look like a comment. */
function startsOfElementTexts(source: ts.SourceFile): ReadonlySet<number> {
  const starts = new Set<number>();
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.JsxText) starts.add(node.pos);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return starts;
}
