import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { createHmac } from 'node:crypto';
import { startService, type Service } from '../../src/app.js';
import { ConfigSchema } from '../../src/config/schema.js';
import { signedText } from '../../src/console/sign-in.js';

export const OPERATOR = { id: 'AKIAIOPERATOREXAMPLE', secret: 'operatorKeyThatEverybodyKnowsEXAMPLEKEY0' };
/** May look at connections, and at nothing of Tightbeam's own. */
export const DASHBOARD = { id: 'AKIAI44QH8DHBEXAMPLE', secret: 'je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY' };

/** A service with the embedded broker and the console, on free ports, with files of its own. */
export class ConsoleService {
  readonly #clients: MqttClient[] = [];

  private constructor(
    readonly service: Service,
    readonly folder: string,
    readonly log: string[],
  ) {}

  static async start(consoleSettings: object = {}): Promise<ConsoleService> {
    const root = join(import.meta.dirname, '../..');
    const folder = mkdtempSync(join(tmpdir(), 'tightbeam-console-'));
    cpSync(join(root, 'policies'), join(folder, 'policies'), { recursive: true });
    cpSync(join(root, 'dev/credentials.json'), join(folder, 'credentials.json'));
    const log: string[] = [];
    const config = ConfigSchema.parse({
      ...{ http: { port: 0 }, exhook: { port: 0 }, embedded: { port: 0 }, telemetry: { port: 0 } },
      broker: { password: 'of-the-service', connections: 1 },
      policies: join(folder, 'policies'),
      credentials: join(folder, 'credentials.json'),
      console: { port: 0, ...consoleSettings },
    });
    const logDestination = {
      write: (line: string) => void log.push(line),
      dropped: 0,
      close: () => Promise.resolve(),
    };
    const service = await startService(config, { broker: 'embedded', logDestination, consoleLinkFor: OPERATOR.id });
    return new ConsoleService(service, folder, log);
  }

  get origin(): string {
    return `http://127.0.0.1:${this.service.ports.console ?? 0}`;
  }

  /** A device that acknowledges what it is sent; or, as `silent`, never does. */
  async device(clientId: string, { silent = false, username = clientId } = {}): Promise<MqttClient> {
    const client = mqtt.connect(`mqtt://127.0.0.1:${this.service.ports.mqtt ?? 0}`, {
      ...{ clientId, username, password: username, protocolVersion: 5, reconnectPeriod: 0 },
    });
    // MQTT.js acknowledges once this calls back.
    if (silent) client.handleMessage = () => undefined;
    this.#clients.push(client);
    await new Promise((resolve, reject) => {
      client.once('connect', resolve);
      client.once('error', reject);
    });
    return client;
  }

  removeKey(id: string): void {
    const file = join(this.folder, 'credentials.json');
    const credentials = JSON.parse(readFileSync(file, 'utf8')) as { accessKeys: Record<string, string> };
    const accessKeys = Object.fromEntries(Object.entries(credentials.accessKeys).filter(([known]) => known !== id));
    writeFileSync(file, JSON.stringify({ ...credentials, accessKeys }));
  }

  /** Asks as the page does. */
  ask(path: string, init: RequestInit & { readonly cookie?: string } = {}): Promise<Response> {
    const { cookie, headers, ...rest } = init;
    return fetch(`${this.origin}${path}`, {
      ...rest,
      headers: {
        'x-tightbeam-console': '1',
        ...(rest.method !== undefined && { origin: this.origin }),
        ...(cookie !== undefined && { cookie }),
        ...(headers as Record<string, string> | undefined),
      },
    });
  }

  async signIn({ id, secret }: typeof OPERATOR): Promise<Response> {
    const { challenge } = (await (await this.ask('/console/challenge')).json()) as { challenge: string };
    const signature = createHmac('sha256', secret)
      .update(signedText(id, this.origin, challenge))
      .digest('hex');
    const body = JSON.stringify({ way: 'accessKey', accessKeyId: id, challenge, signature });
    return this.ask('/console/session', { method: 'POST', body });
  }

  /** The cookie of a new session. */
  async cookie(who: typeof OPERATOR = OPERATOR): Promise<string> {
    const response = await this.signIn(who);
    const [cookie = ''] = (response.headers.get('set-cookie') ?? '').split(';');
    if (cookie === '') throw new Error(`not signed in: ${response.status} ${await response.text()}`);
    return cookie;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) await client.endAsync(true);
    await this.service.stop();
    rmSync(this.folder, { recursive: true });
  }
}
