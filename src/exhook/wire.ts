/** Messages of ExHook as they are decoded (proto/ is the contract; see `serviceDefinition` for the conventions). */

export interface RequestMeta {
  node: string;
  version: string;
  sysdescr: string;
  cluster_name: string;
}

export interface ConnInfo {
  node: string;
  clientid: string;
  username: string;
  peerhost: string;
  sockport: number;
  proto_name: string;
  proto_ver: string;
  keepalive: number;
  peerport: number;
}

export interface ClientInfo {
  node: string;
  clientid: string;
  username: string;
  /** Filled for OnClientAuthenticate only. */
  password: string;
  peerhost: string;
  sockport: number;
  protocol: string;
  mountpoint: string;
  is_superuser: boolean;
  anonymous: boolean;
  /** Common name of the client certificate. */
  cn: string;
  /** Subject of the client certificate. */
  dn: string;
  peerport: number;
}

export interface Message {
  node: string;
  id: string;
  qos: number;
  /** Client ID of the sender. */
  from: string;
  topic: string;
  payload: Buffer;
  /** Milliseconds since 1970, as text. */
  timestamp: string;
  /** `username`, `protocol` and `peerhost` of the sender, each where known. */
  headers: Record<string, string>;
}

export interface Property {
  name: string;
  value: string;
}

export interface SubOpts {
  qos: number;
  rh: number;
  rap: number;
  nl: number;
}

export interface TopicFilter {
  name: string;
  subopts: SubOpts | null;
}

export interface HookSpec {
  name: string;
  topics: string[];
}

export interface LoadedResponse {
  hooks: HookSpec[];
}

export type EmptySuccess = Record<string, never>;

export interface ValuedResponse {
  type: 'CONTINUE' | 'IGNORE' | 'STOP_AND_RETURN';
  bool_result?: boolean;
  message?: Message;
}

interface OfClient {
  clientinfo: ClientInfo | null;
  meta: RequestMeta | null;
}

interface OfConnection {
  conninfo: ConnInfo | null;
  props: Property[];
  /** Since generation 3; before, user properties are one `User-Property` in `props`. */
  user_props?: Property[];
  meta: RequestMeta | null;
}

interface OfSubscriptions extends OfClient {
  props: Property[];
  user_props?: Property[];
  topic_filters: TopicFilter[];
}

interface OfMessage {
  message: Message | null;
  meta: RequestMeta | null;
}

interface Call<Request, Response> {
  request: Request;
  response: Response;
}

/** The 21 calls. */
export interface Calls {
  OnProviderLoaded: Call<
    {
      broker: { version: string; sysdescr: string; uptime: string; datetime: string } | null;
      meta: RequestMeta | null;
    },
    LoadedResponse
  >;
  OnProviderUnloaded: Call<{ meta: RequestMeta | null }, EmptySuccess>;
  OnClientConnect: Call<OfConnection, EmptySuccess>;
  OnClientConnack: Call<OfConnection & { result_code: string }, EmptySuccess>;
  OnClientConnected: Call<OfClient, EmptySuccess>;
  OnClientDisconnected: Call<OfClient & { reason: string }, EmptySuccess>;
  OnClientAuthenticate: Call<OfClient & { result: boolean }, ValuedResponse>;
  OnClientAuthorize: Call<OfClient & { type: 'PUBLISH' | 'SUBSCRIBE'; topic: string; result: boolean }, ValuedResponse>;
  OnClientSubscribe: Call<OfSubscriptions, EmptySuccess>;
  OnClientUnsubscribe: Call<OfSubscriptions, EmptySuccess>;
  OnSessionCreated: Call<OfClient, EmptySuccess>;
  OnSessionSubscribed: Call<OfClient & { topic: string; subopts: SubOpts | null }, EmptySuccess>;
  OnSessionUnsubscribed: Call<OfClient & { topic: string }, EmptySuccess>;
  OnSessionResumed: Call<OfClient, EmptySuccess>;
  OnSessionDiscarded: Call<OfClient, EmptySuccess>;
  OnSessionTakenover: Call<OfClient, EmptySuccess>;
  OnSessionTerminated: Call<OfClient & { reason: string }, EmptySuccess>;
  OnMessagePublish: Call<OfMessage & { props?: Property[]; user_props?: Property[] }, ValuedResponse>;
  OnMessageDelivered: Call<OfClient & OfMessage, EmptySuccess>;
  OnMessageDropped: Call<OfMessage & { reason: string }, EmptySuccess>;
  OnMessageAcked: Call<OfClient & OfMessage, EmptySuccess>;
}

export type CallName = keyof Calls;
export type RequestOf<Name extends CallName> = Calls[Name]['request'];
export type ResponseOf<Name extends CallName> = Calls[Name]['response'];
