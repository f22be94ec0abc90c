// Finds one pushed message of RESP3 in a piece of the stream, and cuts it out, so that it alone is lost.

const START = '>3\r\n$7\r\nmessage\r\n';

/**
 * The piece without the first pushed message that contains `bytes`; undefined when there is none.
 *
 * @throws Error when that message does not lie in the piece as a whole; send it alone, so that it does
 */
export function cutPush(piece: Buffer, bytes: string): Buffer | undefined {
  const place = piece.indexOf(bytes);
  if (place < 0) return undefined;
  const start = piece.lastIndexOf(START, place);
  const end = start < 0 ? undefined : endOfBulk(piece, endOfBulk(piece, start + START.length));
  if (end === undefined || end > piece.length) {
    throw new Error('The pushed message came in several pieces. Send it alone, so that it can be cut out.');
  }
  return Buffer.concat([piece.subarray(0, start), piece.subarray(end)]);
}

/** Where `$<length>\r\n<bytes>\r\n` ends that begins at `start`. */
function endOfBulk(piece: Buffer, start: number | undefined): number | undefined {
  if (start === undefined) return undefined;
  const lineEnd = piece.indexOf('\r\n', start);
  if (lineEnd < 0 || piece[start] !== '$'.charCodeAt(0)) return undefined;
  return lineEnd + 2 + Number(piece.toString('latin1', start + 1, lineEnd)) + 2;
}
