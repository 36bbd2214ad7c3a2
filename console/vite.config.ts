import { defineConfig } from 'vite';

/** `npm run build` makes dist/page/ of this folder: files that the service serves, and nothing that runs in it. */
export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    target: 'es2022',
    // Inline scripts and data: addresses are what the Content-Security-Policy does not let in.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
    reportCompressedSize: false,
  },
});
