// Cuts one RESP3 push message out of a piece of the stream.

const START = '>3\r\n$7\r\nmessage\r\n';

/**
 * Returns the piece without the first push message that contains `bytes`; undefined if there is none.
 *
 * @throws Error if the piece holds only a part of that message
 */
export function cutPush(piece: Buffer, bytes: string): Buffer | undefined {
  const index = piece.indexOf(bytes);
  if (index < 0) return undefined;
  const start = piece.lastIndexOf(START, index);
  const end = start < 0 ? undefined : endOfBulk(piece, endOfBulk(piece, start + START.length));
  if (end === undefined || end > piece.length) {
    throw new Error('The push message arrived in several pieces and cannot be dropped. Send it alone.');
  }
  return Buffer.concat([piece.subarray(0, start), piece.subarray(end)]);
}

/** The end of the bulk string `$<length>\r\n<bytes>\r\n` at `start`. */
function endOfBulk(piece: Buffer, start: number | undefined): number | undefined {
  if (start === undefined) return undefined;
  const lineEnd = piece.indexOf('\r\n', start);
  if (lineEnd < 0 || piece[start] !== '$'.charCodeAt(0)) return undefined;
  return lineEnd + 2 + Number(piece.toString('latin1', start + 1, lineEnd)) + 2;
}
