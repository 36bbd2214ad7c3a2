/** The embedded broker is asked for, and this installation is one for production, which has none. */
export class EmbeddedBrokerMissing extends Error {
  override readonly name = 'EmbeddedBrokerMissing';
  constructor() {
    super(
      'The embedded broker, which `dev` and `demo` run, needs the package aedes, and this installation was made without ' +
        'it (an image: build its target `dev`; elsewhere: install without --omit=optional). Beside a broker run `serve`.',
    );
  }
}

/**
 * The embedded broker's module. It comes late because a service beside a broker needs nothing of it.
 *
 * @throws EmbeddedBrokerMissing
 */
export async function loadEmbeddedBroker(): Promise<typeof import('./broker.js')> {
  try {
    return await import('./broker.js');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes("'aedes'")) throw new EmbeddedBrokerMissing();
    throw error;
  }
}
