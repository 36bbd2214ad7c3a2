/** `npm run bench -- NAME`: the benchmarks by name; without one, that of the main job. */
const BENCHMARKS: Readonly<Record<string, () => Promise<{ run(args: string[]): Promise<void> }>>> = {
  main: () => import('./main-job.js'),
  batch: () => import('./batch.js'),
  differential: () => import('./differential.js'),
  emqx: () => import('./emqx.js'),
  http: () => import('./http.js'),
  identity: () => import('./identity.js'),
  memory: () => import('./memory.js'),
  mosquitto: () => import('./mosquitto.js'),
  policy: () => import('./policy.js'),
  telemetry: () => import('./telemetry.js'),
};

const [name = 'main', ...args] = process.argv.slice(2);
const load = BENCHMARKS[name];
if (load === undefined) {
  process.stderr.write(`There is no benchmark ${name}: ${Object.keys(BENCHMARKS).join(', ')}.\n`);
  process.exitCode = 2;
} else {
  await (await load()).run(args);
}
