import { describe, expect, it } from '@jest/globals';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { whenStarted } from '../../../src/brokers/emqx/install/started.js';
import { Installing } from './installing.js';
import { RECORDED } from './recording.js';

describe.each(RECORDED)('an EMQX %s that starts', (version) => {
  const subject = new Installing(version);
  const told = () => {
    const lines: string[] = [];
    const say = (line: string): void => {
      lines.push(line);
    };
    return { lines, say };
  };

  it('is waited for until its API has its routes, and then read', async () => {
    const { emqx } = subject;
    const audience = told();
    emqx.starting = 3;
    await expect(readState(emqx.api)).rejects.toThrow(/404/);
    await whenStarted(emqx.api, audience);
    expect(emqx.starting).toBe(0);
    await expect(readState(emqx.api)).resolves.toMatchObject({ plugins: [] });
    expect(audience.lines).toEqual([expect.stringMatching(/^waiting for EMQX to start: .*404/)]);
  });

  it('is not waited for where its routes are there', async () => {
    const audience = told();
    await whenStarted(subject.emqx.api, audience);
    expect(audience.lines).toEqual([]);
  });

  it('is waited for as long as was said, and what it answered is told', async () => {
    subject.emqx.starting = Infinity;
    await expect(whenStarted(subject.emqx.api, told(), 0)).rejects.toThrow(/\/nodes: 404/);
  });

  it('is not waited for where it refuses the key', async () => {
    await expect(whenStarted(subject.emqx.apiWith('wrong'), told())).rejects.toMatchObject({ status: 401 });
  });
});
