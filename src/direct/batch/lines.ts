import { isUtf8 } from 'node:buffer';

/** A line of a batch as it was read; `number` counts from 1, empty lines too, as an editor does. */
export type Line =
  | { readonly number: number; readonly text: string }
  /** It cannot be read, and why. */
  | { readonly number: number; readonly tooLong?: boolean; readonly fault: string };

const NEWLINE = 0x0a;

/**
 * Splits bytes into lines of NDJSON. Empty lines are left out. Of a line that is longer than `maxBytes` no more than that is
 * ever kept, however long it goes on.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  let number = 1;
  /** What there is of a line whose end has not come. */
  let begun: Buffer[] = [];
  let bytes = 0;
  const take = (piece: Buffer): void => {
    bytes += piece.length;
    if (bytes <= maxBytes) begun.push(piece);
    else begun = [];
  };
  const finish = (): Line | undefined => {
    const [first = Buffer.alloc(0)] = begun;
    const line =
      bytes > maxBytes ? tooLong(number, maxBytes) : toLine(number, begun.length > 1 ? Buffer.concat(begun) : first);
    number += 1;
    begun = [];
    bytes = 0;
    return line;
  };
  for await (const chunk of chunks) {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = buffer.indexOf(NEWLINE); end >= 0; end = buffer.indexOf(NEWLINE, start)) {
      take(buffer.subarray(start, end));
      start = end + 1;
      const line = finish();
      if (line !== undefined) yield line;
    }
    if (start < buffer.length) take(buffer.subarray(start));
  }
  const last = bytes > 0 ? finish() : undefined;
  if (last !== undefined) yield last;
}

function tooLong(number: number, maxBytes: number): Line {
  return { number, tooLong: true, fault: `The line is longer than ${maxBytes} bytes.` };
}

function toLine(number: number, bytes: Buffer): Line | undefined {
  if (!isUtf8(bytes)) return { number, fault: 'The line is not UTF-8.' };
  const text = bytes.toString('utf8');
  return text.trim() === '' ? undefined : { number, text };
}
