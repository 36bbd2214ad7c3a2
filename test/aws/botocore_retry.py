"""One SendDirectMessage with a timeout of a second by botocore, which retries by itself.

Arguments: endpoint, region, access key, secret key, client ID, retry mode. Standard output: JSON, {"status": ..., "traceId": ...}.
Versions of botocore that do not know the operation are told what AWS's model says of it; all else is theirs.
"""

import json
import os
import sys
import tempfile

import botocore.config
import botocore.exceptions
import botocore.session


def member(shape, location):
    return lambda name: {"shape": shape, "location": location, "locationName": name}


SHAPES = {
    "DmText": {"type": "string"},
    "DmFlag": {"type": "boolean"},
    "DmSeconds": {"type": "integer"},
    "SendDirectMessageRequest": {
        "type": "structure",
        "required": ["clientId", "topic"],
        "members": {
            "clientId": member("DmText", "uri")("clientId"),
            "topic": member("DmText", "querystring")("topic"),
            "confirmation": member("DmFlag", "querystring")("confirmation"),
            "timeout": member("DmSeconds", "querystring")("timeout"),
        },
    },
    "SendDirectMessageResponse": {
        "type": "structure",
        "members": {"message": {"shape": "DmText"}, "traceId": {"shape": "DmText"}},
    },
}
OPERATION = {
    "name": "SendDirectMessage",
    "http": {"method": "POST", "requestUri": "/connections/{clientId}/messages"},
    "input": {"shape": "SendDirectMessageRequest"},
    "output": {"shape": "SendDirectMessageResponse"},
}


def know_operation(session, folder):
    loader = session.get_component("data_loader")
    model = loader.load_service_model("iot-data", "service-2")
    if "SendDirectMessage" in model["operations"]:
        return
    version = loader.determine_latest_version("iot-data", "service-2")
    os.makedirs(os.path.join(folder, "iot-data", version))
    told = {
        **model,
        "operations": {**model["operations"], "SendDirectMessage": OPERATION},
        "shapes": {**model["shapes"], **SHAPES},
    }
    with open(os.path.join(folder, "iot-data", version, "service-2.json"), "w") as file:
        json.dump(told, file)
    fresh = botocore.loaders.create_loader()
    fresh.search_paths.insert(0, folder)
    session.register_component("data_loader", fresh)


def main():
    endpoint, region, access_key, secret_key, client_id, mode = sys.argv[1:]
    session = botocore.session.get_session()
    with tempfile.TemporaryDirectory() as folder:
        know_operation(session, folder)
        client = session.create_client(
            "iot-data",
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=botocore.config.Config(retries={"mode": mode, "total_max_attempts": 4}),
        )
    try:
        answer = client.send_direct_message(clientId=client_id, topic="cmd/open", confirmation=True, timeout=1)
        outcome = {"status": answer["ResponseMetadata"]["HTTPStatusCode"], "traceId": answer["traceId"]}
    except botocore.exceptions.ClientError as error:
        outcome = {"status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    json.dump(outcome, sys.stdout)


main()
