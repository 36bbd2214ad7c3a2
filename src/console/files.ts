import type { FastifyInstance } from 'fastify';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

/** Files with a hash of their content in the name never change. */
const FOREVER = 'public, max-age=31536000, immutable';

interface Served {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
}

/**
 * The files of the front end, as `npm run build` leaves them, by their path. All are read at the start, so that a request names
 * one of them and no file of the machine.
 *
 * @throws Error where the front end has not been built
 */
export function readFrontEnd(folder: string): ReadonlyMap<string, Served> {
  const files = new Map<string, Served>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const plain = readFileSync(path);
    files.set(`/${relative(folder, path).split(sep).join('/')}`, { type, plain, gzip: gzipSync(plain) });
  }
  return files;
}

/** A route for each file, and `/` for the page. */
export function serveFiles(app: FastifyInstance, files: ReadonlyMap<string, Served>): void {
  for (const [path, { type, plain, gzip }] of files) {
    const isPage = path === '/index.html';
    app.get(isPage ? '/' : path, (request, reply) => {
      const zipped = /\bgzip\b/.test([request.headers['accept-encoding']].join());
      return reply
        .type(type)
        .headers({
          'cache-control': path.startsWith('/assets/') ? FOREVER : 'no-cache',
          vary: 'accept-encoding',
          ...(zipped && { 'content-encoding': 'gzip' }),
        })
        .send(zipped ? gzip : plain);
    });
  }
}
