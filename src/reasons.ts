/**
 * The one table of reasons.
 *
 * A reason is what became of a request, in one word: the `reason` field of the log line, the value of the metric
 * label, the attribute of the span. HTTP status, AWS exception, MQTT 5 reason code and the text for the caller are
 * derived from it and from nothing else. docs/reasons.md is this table for people; a test holds the two equal.
 */

/** Exception names of the AWS IoT data plane (`x-amzn-errortype`), as `@aws-sdk/client-iot-data-plane` reads them. */
export type AwsException =
  | 'InvalidRequestException'
  | 'UnauthorizedException'
  | 'ForbiddenException'
  | 'ResourceNotFoundException'
  | 'MethodNotAllowedException'
  | 'ConflictException'
  | 'DeviceRejectedException'
  | 'ResponseTooLargeException'
  | 'RequestEntityTooLargeException'
  | 'ThrottlingException'
  | 'InternalFailureException'
  | 'ServiceUnavailableException'
  | 'GatewayTimeoutException';

/**
 * MQTT 5 reason codes that answer a direct PUBLISH in its PUBACK. All are among those that section 3.4.2.1 of MQTT 5
 * allows there: clients drop the connection on any other (0x95, Packet too large, is one that they drop it on).
 */
export const PubackCode = {
  Success: 0x00,
  NoMatchingSubscribers: 0x10,
  UnspecifiedError: 0x80,
  ImplementationSpecificError: 0x83,
  NotAuthorized: 0x87,
  TopicNameInvalid: 0x90,
  PacketIdentifierInUse: 0x91,
  QuotaExceeded: 0x97,
  PayloadFormatInvalid: 0x99,
} as const;
export type PubackCode = (typeof PubackCode)[keyof typeof PubackCode];

/** What a reason means for sending again. */
export const RETRY = {
  needless: 'Not needed. A repeat under the same identity gets this answer again, and the device nothing.',
  joins:
    'With the same identity, it waits for the answer of the device to the first message, or makes another attempt where ' +
    'none can come any more. Without, the device may get the message twice, unless the answer says `written: no`.',
  safe: 'Safe: nothing was written to the device. Worth it as soon as the cause is gone.',
  pointless: 'Pointless: the answer will be the same until something is changed. Nothing was written to the device.',
} as const;
export type Retry = keyof typeof RETRY;

export interface ReasonEntry {
  readonly status: 'Success' | 'Failure';
  /** HTTP status of the data-plane API; absent where the reason never answers an HTTP request. */
  readonly http?: number;
  /** AWS exception of that answer; absent for success and where `http` is absent. */
  readonly exception?: AwsException;
  /** PUBACK reason code of the `$dm/` door; absent where the reason never answers a PUBLISH. */
  readonly mqtt?: PubackCode;
  /** What it means for sending again. */
  readonly retry: Retry;
  /** What the caller is told. Never names policies, principals or anything the caller may not know. */
  readonly message: string;
  /** What it means, for the operator. */
  readonly meaning: string;
  /** Likely causes, most likely first. */
  readonly causes: readonly string[];
  /** What to do next. */
  readonly next: readonly string[];
}

const table = {
  DELIVERED: {
    status: 'Success',
    retry: 'needless',
    http: 200,
    mqtt: PubackCode.Success,
    message: 'The device acknowledged the message.',
    meaning: 'The device sent the PUBACK for this message: it arrived on the device.',
    causes: [],
    next: [],
  },
  DISPATCHED: {
    status: 'Success',
    retry: 'needless',
    http: 200,
    mqtt: PubackCode.Success,
    message: 'The message was handed to the connection of the device; no confirmation was asked for.',
    meaning: 'The message was written to the connection at QoS 0. Whether the device received it is not known.',
    causes: [],
    next: ['Ask for confirmation (`confirmation=true`, or QoS 1 without `dm-qos: 0`) where it matters.'],
  },
  INVALID_CLIENT_ID: {
    status: 'Failure',
    retry: 'pointless',
    http: 400,
    exception: 'InvalidRequestException',
    mqtt: PubackCode.TopicNameInvalid,
    message: 'The client ID must be 1 to 128 characters of UTF-8, percent-encoded, and must not start with $.',
    meaning: 'The client ID of the request cannot be that of a device.',
    causes: [
      'Empty, longer than 128 characters, or starting with `$`.',
      'A control character or a noncharacter in it.',
      'Broken percent-encoding in the path.',
    ],
    next: ['Percent-encode the client ID once (`encodeURIComponent`).'],
  },
  INVALID_TOPIC: {
    status: 'Failure',
    retry: 'pointless',
    http: 400,
    exception: 'InvalidRequestException',
    mqtt: PubackCode.TopicNameInvalid,
    message:
      'The topic must be a topic name of 1 to 256 bytes of UTF-8 with at most 7 slashes and no wildcard or control character.',
    meaning: 'The topic on which the device would receive the message is not a valid topic name.',
    causes: [
      'Missing or empty topic.',
      'A wildcard (`+`, `#`), a control character or a noncharacter in it.',
      'Over 256 bytes or over 7 slashes.',
    ],
    next: ['Name the exact topic on which the device expects the message.'],
  },
  RESERVED_TOPIC: {
    status: 'Failure',
    retry: 'pointless',
    http: 400,
    exception: 'InvalidRequestException',
    mqtt: PubackCode.TopicNameInvalid,
    message: 'Topics that start with $ are reserved.',
    meaning: 'The topic starts with `$`, which is reserved for the broker.',
    causes: ['A `$aws/...` or `$SYS/...` topic was given.'],
    next: ['Use a topic that does not start with `$`.'],
  },
  INVALID_PARAMETER: {
    status: 'Failure',
    retry: 'pointless',
    http: 400,
    exception: 'InvalidRequestException',
    mqtt: PubackCode.TopicNameInvalid,
    message: 'A parameter of the request is not valid.',
    meaning: 'A query parameter, header or MQTT property of the request is outside of its limits; details name it.',
    causes: [
      '`timeout` is not a whole number of seconds from 1 to 15.',
      'User properties are not base64 of a JSON array.',
    ],
    next: ['Read `details`: it names the field and the rule.'],
  },
  MISSING_CREDENTIALS: {
    status: 'Failure',
    retry: 'pointless',
    http: 401,
    exception: 'UnauthorizedException',
    message: 'The request is not authenticated.',
    meaning: 'The caller gave no credentials of a kind that is accepted here.',
    causes: [
      'The request is not signed (no `Authorization` header and no `X-Amz-Signature`), and there is no client certificate.',
    ],
    next: ['Sign with SigV4: service `iotdata`, or `curl --aws-sigv4`.'],
  },
  INVALID_CREDENTIALS: {
    status: 'Failure',
    retry: 'pointless',
    http: 401,
    exception: 'UnauthorizedException',
    message: 'The request is not authenticated.',
    meaning: 'Credentials were given and are not right; details say what failed.',
    causes: ['Unknown access key.', 'Wrong secret key.', 'The request was changed after signing, often by a proxy.'],
    next: ['Check access key and secret.', 'Check that no proxy rewrites path, query, Host or body.'],
  },
  CALLER_KEYS_UNAVAILABLE: {
    status: 'Failure',
    retry: 'safe',
    http: 503,
    exception: 'ServiceUnavailableException',
    message: 'Callers cannot be authenticated at the moment.',
    meaning: 'The keys that tokens of callers are verified with could not be had; details say why.',
    causes: ['The JWKS URL does not answer.', 'The JWKS file is missing or malformed.'],
    next: ['Fetch the JWKS URL from where the service runs.'],
  },
  EXPIRED_SIGNATURE: {
    status: 'Failure',
    retry: 'pointless',
    http: 401,
    exception: 'UnauthorizedException',
    message: 'The signature has expired or is not yet valid.',
    meaning: 'The time of the signature is more than 5 minutes from the clock here, or the presigned URL has expired.',
    causes: ['The clock of the caller is wrong.', 'A presigned URL was used after its `X-Amz-Expires`.'],
    next: ['Synchronise both clocks (NTP).', 'Sign again.'],
  },
  SENDER_NOT_AUTHORIZED: {
    status: 'Failure',
    retry: 'pointless',
    http: 403,
    exception: 'ForbiddenException',
    mqtt: PubackCode.NotAuthorized,
    message: 'The sender is not authorized to perform this action on this client.',
    meaning: 'No policy of the sender allows `iot:SendDirectMessage` on this client and topic, or one denies it.',
    causes: [
      'No policy is attached to the principal.',
      'The condition on `iot:Topic` does not match.',
      'Of a request: no policy allows `iot:Receive` on the response topic.',
      'An explicit Deny.',
    ],
    next: ['Run `tightbeam policy explain` with the principal and resource of the log line.'],
  },
  RECEIVER_NOT_AUTHORIZED: {
    status: 'Failure',
    retry: 'pointless',
    http: 403,
    exception: 'ForbiddenException',
    mqtt: PubackCode.NotAuthorized,
    message: 'The receiver is not authorized to receive on this topic.',
    meaning: 'No policy of the device allows `iot:Receive` on this topic, or one denies it.',
    causes: ['The topic is not in the device policy.', 'The device connected as a principal with another policy.'],
    next: ['Run `tightbeam policy explain` with the principal of the device and `iot:Receive`.'],
  },
  CLIENT_NOT_CONNECTED: {
    status: 'Failure',
    retry: 'safe',
    http: 404,
    exception: 'ResourceNotFoundException',
    mqtt: PubackCode.TopicNameInvalid,
    message: 'No client with this client ID is connected.',
    meaning: 'The broker has neither a connection nor a session of this client ID.',
    causes: ['The device is off or has no network.', 'The client ID is misspelt, or differs in case.'],
    next: ['Look for the last Disconnect event of this clientId in the log.'],
  },
  CLIENT_OFFLINE_WITH_SESSION: {
    status: 'Failure',
    retry: 'safe',
    http: 404,
    exception: 'ResourceNotFoundException',
    mqtt: PubackCode.ImplementationSpecificError,
    message: 'The client is not connected; it has a persistent session.',
    meaning: 'The device is offline, but its session has not expired. Direct messages are never queued.',
    causes: ['The device lost its network and is expected back.'],
    next: ['Send again when the device is back, or publish to a topic that it subscribes to.'],
  },
  OPERATION_NOT_AUTHORIZED: {
    status: 'Failure',
    retry: 'pointless',
    http: 403,
    exception: 'ForbiddenException',
    message: 'The caller is not authorized to perform this action on this resource.',
    meaning: 'No policy of the caller allows the action of the operation on its resource, or one denies it.',
    causes: ['No policy is attached to the principal.', 'The resource of the policy is another.', 'An explicit Deny.'],
    next: ['Run `tightbeam policy explain` with the principal, action and resource of the log line.'],
  },
  RETAINED_MESSAGE_NOT_FOUND: {
    status: 'Failure',
    retry: 'pointless',
    http: 404,
    exception: 'ResourceNotFoundException',
    message: 'There is no retained message on this topic.',
    meaning: 'The broker retains no message on exactly this topic.',
    causes: ['Nothing was published to it with the retain flag.', 'The message expired, or was removed.'],
    next: ['List the retained messages.'],
  },
  NOT_SUPPORTED: {
    status: 'Failure',
    retry: 'pointless',
    http: 400,
    exception: 'InvalidRequestException',
    message: 'The broker cannot do this.',
    meaning: 'The broker behind the service has no way to do what was asked, and nothing was done; details name it.',
    causes: [
      '`preventWillMessage`, or ending a connection without its session, on EMQX.',
      'Beside EMQX, an operation other than SendDirectMessage and Publish, while the setting `broker.api` is not set.',
    ],
    next: ['Ask without what `details` names.', "Set `broker.api`: address, key and secret of EMQX's management API."],
  },
  UNKNOWN_OPERATION: {
    status: 'Failure',
    retry: 'pointless',
    http: 404,
    exception: 'ResourceNotFoundException',
    message: 'There is no such operation.',
    meaning: 'The path of the request is none of the data-plane API.',
    causes: [
      'A typing error in the path.',
      'An operation of AWS IoT that is out of scope here (shadows, jobs, rules).',
    ],
    next: ['Compare the path with the README.'],
  },
  METHOD_NOT_ALLOWED: {
    status: 'Failure',
    retry: 'pointless',
    http: 405,
    exception: 'MethodNotAllowedException',
    message: 'This path does not allow that method.',
    meaning: 'The path exists, with another HTTP method.',
    causes: ['GET in place of POST, or the like.'],
    next: ['Use the method of the `Allow` header.'],
  },
  INVALID_REQUEST: {
    status: 'Failure',
    retry: 'pointless',
    http: 400,
    exception: 'InvalidRequestException',
    message: 'The request is malformed.',
    meaning: 'The bytes received are not a valid HTTP request, or the body did not arrive in time or in full.',
    causes: ['A client that does not speak HTTP/1.1.', 'A caller that stalled or hung up while it sent the body.'],
    next: ['Look at the caller and at proxies between.'],
  },
  PAYLOAD_TOO_LARGE: {
    status: 'Failure',
    retry: 'pointless',
    http: 413,
    exception: 'RequestEntityTooLargeException',
    mqtt: PubackCode.PayloadFormatInvalid,
    message: 'The payload is too large.',
    meaning: 'The payload is over the limit, or the packet over the Maximum Packet Size of the device.',
    causes: [
      'Payload over 131,072 bytes (or the limit configured).',
      'The device asked for smaller packets in CONNECT.',
    ],
    next: ['Send a reference (a URL) in place of the data.'],
  },
  ACCOUNT_THROTTLED: {
    status: 'Failure',
    retry: 'safe',
    http: 429,
    exception: 'ThrottlingException',
    message: 'Too many requests.',
    meaning: 'The rate limit of the caller, or the cap on messages in flight, was reached.',
    causes: ['A burst over the limit.', 'Many devices that do not answer, each holding its place until its timeout.'],
    next: ['Retry with backoff.', 'Add replicas, or raise the limit.'],
  },
  RECEIVER_THROTTLED: {
    status: 'Failure',
    retry: 'safe',
    http: 429,
    exception: 'ThrottlingException',
    mqtt: PubackCode.QuotaExceeded,
    message: 'The receiver has too many messages in flight.',
    meaning: 'The window or queue of the device is full, or its rate limit was reached.',
    causes: ['The device does not acknowledge what it was sent before.', 'Many senders address one device.'],
    next: ['Look for PUBACK_TIMEOUT on the same targetClientId.'],
  },
  INTERNAL_ERROR: {
    status: 'Failure',
    retry: 'joins',
    http: 500,
    exception: 'InternalFailureException',
    mqtt: PubackCode.UnspecifiedError,
    message: 'An internal error occurred.',
    meaning: 'A defect of Tightbeam. The request was refused.',
    causes: ['See `details` of the log line.'],
    next: ['Report it with the log line.'],
  },
  CALLER_GONE: {
    status: 'Failure',
    retry: 'safe',
    http: 400,
    exception: 'InvalidRequestException',
    message: 'The caller hung up.',
    meaning:
      'The caller hung up before its request was complete, or while its message waited for the device to connect. Nothing was ' +
      'sent.',
    causes: ['A timeout of the caller, or of a proxy before it, that is shorter than the wait.'],
    next: ['Compare `durationMs` with the timeouts on the way.'],
  },
  SHUTTING_DOWN: {
    status: 'Failure',
    retry: 'safe',
    http: 503,
    exception: 'ServiceUnavailableException',
    message: 'The service is shutting down.',
    meaning:
      'The request came while this replica was finishing its last ones, and was not begun; or its message still waited for the ' +
      'device to connect, and was withdrawn.',
    causes: ['A deployment or a restart.'],
    next: ['Retry: another replica, or the next start, will answer.'],
  },
  BROKER_UNAVAILABLE: {
    status: 'Failure',
    retry: 'joins',
    http: 503,
    exception: 'ServiceUnavailableException',
    message: 'The broker is not reachable.',
    meaning: 'No connection to the broker is up. Nothing was sent.',
    causes: ['The broker is down or restarting.', 'Wrong address or credentials of the broker connection.'],
    next: ['Look for BrokerConnection events.', 'Run `tightbeam emqx doctor`.'],
  },
  DELIVERY_PLUGIN_MISSING: {
    status: 'Failure',
    retry: 'safe',
    http: 503,
    exception: 'ServiceUnavailableException',
    message: 'The broker cannot deliver direct messages.',
    meaning: 'The broker answers, but the Tightbeam plugin is not running in it. Nothing was delivered.',
    causes: ['The plugin is not installed, or was stopped.', 'A cluster node without the plugin.'],
    next: ['Install and start the plugin: `tightbeam emqx install`.', 'Run `tightbeam emqx doctor`.'],
  },
  PUBACK_TIMEOUT: {
    status: 'Failure',
    retry: 'joins',
    http: 504,
    exception: 'GatewayTimeoutException',
    mqtt: PubackCode.UnspecifiedError,
    message: 'The device did not acknowledge the message in time.',
    meaning:
      'The device is connected and did not acknowledge within the timeout. Whether it has the message is not known: it ' +
      'may have arrived, or have waited behind others until the time was over.',
    causes: [
      'The device hangs, is busy, or acknowledges only when it has done what the message asks.',
      'Its network is dead, and the broker cannot know yet: that takes one and a half times its keep-alive.',
      'It is slow, and the message waited behind others: see RECEIVER_THROTTLED of the same device.',
      'Of many devices at once: the broker or the network has too much to do.',
    ],
    next: [
      'See whom it hits: `tightbeam tail --reason PUBACK_TIMEOUT RECEIVER_DISCONNECTED`. Many devices: "Timeout ratio" in docs/operations.md.',
      'One device: a Disconnect with MQTT_KEEP_ALIVE_TIMEOUT soon after says that its network was dead; a shorter keep-alive finds out sooner.',
      'No Disconnect: `emqx ctl clients show CLIENT_ID` on EMQX tells how many messages wait for it (inflight, enqueued_msgs).',
      'Send again only what may be done twice, or what the device knows again by an ID of its own.',
      'Where the device needs longer, give the request a longer timeout (15 s at the most).',
    ],
  },
  RECEIVER_DISCONNECTED: {
    status: 'Failure',
    retry: 'joins',
    http: 504,
    exception: 'GatewayTimeoutException',
    mqtt: PubackCode.UnspecifiedError,
    message: 'The device disconnected before it acknowledged the message.',
    meaning: 'The connection ended between sending and PUBACK. The message may have arrived.',
    causes: ['The device crashed on the message, or lost its network.', 'Another client took the client ID over.'],
    next: ['Look for the Disconnect event of targetClientId at this time.'],
  },
  AUTHENTICATION_THROTTLED: {
    status: 'Failure',
    retry: 'pointless',
    message: 'Too many wrong passwords.',
    meaning: 'The client was refused without its password being looked at: too many wrong ones came before.',
    causes: [
      'A device tries again and again with a wrong password.',
      'Somebody guesses passwords, of one user or from one address; `details` says which.',
    ],
    next: [
      'Correct the password of the device: the limit lifts by itself, within a minute.',
      'Look who connects from `sourceIp`.',
    ],
  },
  RECEIVER_REJECTED: {
    status: 'Failure',
    retry: 'needless',
    http: 422,
    exception: 'DeviceRejectedException',
    mqtt: PubackCode.UnspecifiedError,
    message: 'The device refused the message.',
    meaning:
      'The device answered the message with a PUBACK whose reason code is a failure (MQTT 5, section 3.4.2.1): it arrived, and ' +
      'the device will not have it. Code and Reason String are the device’s own words. EMQX before 6.0 does not tell them: ' +
      'there any PUBACK counts as DELIVERED.',
    causes: ['The device has no use for the message, or no room.', 'It may not do what is asked.'],
    next: ['Look up the code in the manual of the device: `deviceCode` and `deviceReason` of the log line.'],
  },
  ANSWERED: {
    status: 'Success',
    retry: 'needless',
    http: 200,
    mqtt: PubackCode.Success,
    message: 'The device answered.',
    meaning: 'The device published its answer to the request on the response topic; it is in `response`.',
    causes: [],
    next: [],
  },
  ACKNOWLEDGED_NOT_ANSWERED: {
    status: 'Failure',
    retry: 'joins',
    http: 504,
    exception: 'GatewayTimeoutException',
    mqtt: PubackCode.UnspecifiedError,
    message: 'The device acknowledged the request and did not answer it in time.',
    meaning:
      'The device has the request: its PUBACK came. What it published on the response topic until the timeout was no answer: ' +
      'nothing, or nothing that a policy allowed with the Correlation Data of the request.',
    causes: [
      'The device needs longer than the timeout for what it was asked.',
      'It answers on another topic, or with other Correlation Data.',
      'It answers without Correlation Data, as MQTT 3.1.1 has none, while several requests wait there.',
      'No policy allows the device `iot:Publish` on the response topic.',
    ],
    next: [
      'Repeat the request with the same identity: it waits for the answer, and the device is sent nothing.',
      'Look for PUBLISH_NOT_AUTHORIZED of the device on the response topic.',
      'Give the request a longer timeout (60 s at the most).',
    ],
  },
  RESPONSE_TOO_LARGE: {
    status: 'Failure',
    retry: 'needless',
    http: 422,
    exception: 'ResponseTooLargeException',
    mqtt: PubackCode.UnspecifiedError,
    message: 'The device answered, and its answer is too large.',
    meaning:
      'The device published its answer to the request, and payload, content type and user properties together are over the limit ' +
      'of a payload; or of a repeat, there was no room to keep the answer. The answer went on to whoever subscribes to the topic.',
    causes: [
      'An answer over 131,072 bytes (or the limit configured).',
      'Of a repeat: many large answers in five minutes.',
    ],
    next: ['Let the device answer with a reference (a URL) in place of the data.'],
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 'Failure',
    retry: 'pointless',
    http: 409,
    exception: 'ConflictException',
    mqtt: PubackCode.PacketIdentifierInUse,
    message: 'Another message was sent to this client under the same identity.',
    meaning:
      'The identity of the delivery (`Idempotency-Key`, `amz-sdk-invocation-id`, over MQTT `dm-id`) stands for another topic, ' +
      'payload, property or QoS at this device, from the same principal in the last minutes. Nothing was sent.',
    causes: ['An identity that is made from too little: a constant, a counter that began anew.'],
    next: ['Make a new identity for each message, for instance a UUID, and keep it for its repeats.'],
  },
  CONNECT_NOT_AUTHORIZED: {
    status: 'Failure',
    retry: 'pointless',
    message: 'Not authorized.',
    meaning: 'The client was authenticated, but no policy allows `iot:Connect` with this client ID, or one denies it.',
    causes: ['The client ID is not the one that the policy names.', 'No policy is attached to the principal.'],
    next: ['Run `tightbeam policy explain --action iot:Connect`.'],
  },
  PUBLISH_NOT_AUTHORIZED: {
    status: 'Failure',
    retry: 'pointless',
    message: 'Not authorized.',
    meaning: 'No policy of the client allows `iot:Publish` on this topic, or one denies it.',
    causes: ['The topic is not in the policy.'],
    next: ['Run `tightbeam policy explain --action iot:Publish`.'],
  },
  SUBSCRIBE_NOT_AUTHORIZED: {
    status: 'Failure',
    retry: 'pointless',
    message: 'Not authorized.',
    meaning:
      'No policy of the client allows `iot:Subscribe` on this topic filter, or `iot:Receive` on what it matches.',
    causes: ['`iot:Subscribe` is there, `iot:Receive` is not.', 'The filter is wider than the policy.'],
    next: ['Run `tightbeam policy explain --action iot:Subscribe`.'],
  },
  CONNECT_REFUSED: {
    status: 'Failure',
    retry: 'safe',
    message: 'The broker refused the connection.',
    meaning:
      'The broker refused the client for a reason of its own; `details` says with which code, and who: the broker, or the ' +
      'guard, because the service was not there to be asked.',
    causes: ['An authenticator of the broker refused it, or a limit or ban of the broker.', 'The service was away.'],
    next: ['Look at `details`, and into the log of the broker.'],
  },
  RECEIVER_QUEUE_FULL: {
    status: 'Failure',
    retry: 'safe',
    message: 'The queue of the receiver is full.',
    meaning: 'The broker dropped a message for this client: its session holds as many as it may.',
    causes: ['The client is away, or acknowledges more slowly than messages come.'],
    next: ['Raise `mqtt.max_mqueue_len` or `mqtt.max_inflight` in EMQX, or let the client take more at once.'],
  },
  MESSAGE_EXPIRED: {
    status: 'Failure',
    retry: 'safe',
    message: 'The message expired before it was delivered.',
    meaning: 'The broker dropped a message for this client: its Message Expiry Interval was over.',
    causes: ['The client was away for longer than the message may live.'],
    next: [],
  },
  NO_SUBSCRIBERS: {
    status: 'Failure',
    retry: 'pointless',
    message: 'Nobody subscribes to the topic.',
    meaning: 'The broker had nobody to deliver the message to. Told only for the topic filters of `log.noSubscribers`.',
    causes: ['The topic is misspelt, or its subscriber is away and has no session.'],
    next: [],
  },
  MESSAGE_DROPPED: {
    status: 'Failure',
    retry: 'safe',
    message: 'The broker dropped the message.',
    meaning: 'The broker dropped a message for a reason of its own: `details` has its word.',
    causes: [
      'A QoS 0 message for a client that is away, or one that came from the same client and is not wanted back.',
    ],
    next: [],
  },
  EVENTS_MISSED: {
    status: 'Failure',
    retry: 'needless',
    message: 'Events were lost.',
    meaning:
      'More happened in the broker than could be told: so many events of one type, as `details` says, are in no log line. ' +
      'The broker was not held up, and what was counted is right.',
    causes: ['More events are wanted than the service can take.'],
    next: ['Ask for fewer: `log.publishIn`, `log.publishOut`, `log.clients`, or a smaller `log.successRatio`.'],
  },
} as const satisfies Record<string, ReasonEntry>;

export type Reason = keyof typeof table;

/** Every reason with its row. */
export const REASONS: Readonly<Record<Reason, ReasonEntry>> = Object.freeze(table);

/** True where the text is a reason of the table. */
export function isReason(text: string): text is Reason {
  return Object.hasOwn(table, text);
}
