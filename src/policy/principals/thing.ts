import type { Identity } from '../../identity/identity.js';

/** A thing of the registry, as `iot:Connection.Thing.*` sees it. */
export interface Thing {
  readonly name: string;
  readonly type: string | undefined;
  readonly attributes: ReadonlyMap<string, string>;
}

/** The facts that principals are matched by, strongest first. */
export const CRITERIA = [
  'distinguishedName',
  'commonName',
  'jwtSubject',
  'accessKeyId',
  'username',
  'clientId',
] as const;
export type Criterion = (typeof CRITERIA)[number];

/** A thing whose name may hold `${username}` and the like: texts, and facts of the identity. */
export interface ThingTemplate {
  readonly name: readonly (string | { readonly criterion: Criterion })[];
  /**
   * AWS IoT's exclusive thing association: the thing is that of the principal under any client ID. Without it the thing's
   * name is taken as the client ID (AWS IoT Core Developer Guide, "Thing policy variables").
   */
  readonly exclusive: boolean;
  readonly type: string | undefined;
  readonly attributes: ReadonlyMap<string, string>;
}

/**
 * The thing for that identity; none where its name needs a fact that the identity does not have, or where the client ID
 * is another: else whoever is attached to any thing could take the client ID of any other.
 */
export function thingOf(template: ThingTemplate, identity: Identity): Thing | undefined {
  let name = '';
  for (const part of template.name) {
    const text = typeof part === 'string' ? part : factOf(identity, part.criterion);
    if (text === undefined) return undefined;
    name += text;
  }
  if (!template.exclusive && identity.clientId !== name) return undefined;
  return { name, type: template.type, attributes: template.attributes };
}

/** Spelt out, because a property under a name that varies is found far more slowly. */
export function factOf(identity: Identity, criterion: Criterion): string | undefined {
  switch (criterion) {
    case 'distinguishedName':
      return identity.certificate?.distinguishedName;
    case 'commonName':
      // A subject without common name has an empty one, which no pattern may take for a name.
      return identity.certificate?.commonName === '' ? undefined : identity.certificate?.commonName;
    case 'jwtSubject':
      return identity.jwtSubject;
    case 'accessKeyId':
      return identity.accessKeyId;
    case 'username':
      return identity.username;
    case 'clientId':
      return identity.clientId;
  }
}
