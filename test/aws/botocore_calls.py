"""Calls the data plane with botocore, unmodified but for endpoint and credentials.

Standard input: a JSON list of [operation, parameters]; bytes are written {"base64": "..."}. Standard output: a JSON list
with one outcome each: {"result": ...}, {"error": code, "status": ..., "message": ...}, or {"missing": true} where this
version of botocore does not know the operation.
"""

import base64
import json
import sys

import botocore.exceptions
import botocore.session


def revive(value):
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    return value


def plain(value):
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if name != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def call(client, operation, parameters):
    if not hasattr(client, operation):
        return {"missing": True}
    try:
        if client.can_paginate(operation):
            pages = client.get_paginator(operation).paginate(**parameters)
            return {"result": [plain(page) for page in pages]}
        arguments = {name: revive(value) for name, value in parameters.items()}
        return {"result": plain(getattr(client, operation)(**arguments))}
    except botocore.exceptions.ClientError as error:
        answer = error.response
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        return {"error": answer["Error"]["Code"], "status": status, "message": answer["Error"]["Message"]}


def main():
    endpoint, region, access_key, secret_key = sys.argv[1:]
    client = botocore.session.get_session().create_client(
        "iot-data",
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )
    json.dump([call(client, operation, parameters) for operation, parameters in json.load(sys.stdin)], sys.stdout)


main()
