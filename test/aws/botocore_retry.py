"""One SendDirectMessage with a timeout of a second by botocore, which retries by itself.

Arguments: endpoint, region, access key, secret key, client ID, retry mode. Standard output: JSON, {"status": ..., "traceId": ...}
or {"missing": true} where this version of botocore does not know the operation.
"""

import json
import sys

import botocore.config
import botocore.exceptions
import botocore.session

endpoint, region, access_key, secret_key, client_id, mode = sys.argv[1:]
client = botocore.session.get_session().create_client(
    "iot-data",
    region_name=region,
    endpoint_url=endpoint,
    aws_access_key_id=access_key,
    aws_secret_access_key=secret_key,
    config=botocore.config.Config(retries={"mode": mode, "total_max_attempts": 4}),
)
if not hasattr(client, "send_direct_message"):
    json.dump({"missing": True}, sys.stdout)
else:
    try:
        answer = client.send_direct_message(clientId=client_id, topic="cmd/open", confirmation=True, timeout=1)
        json.dump({"status": answer["ResponseMetadata"]["HTTPStatusCode"], "traceId": answer["traceId"]}, sys.stdout)
    except botocore.exceptions.ClientError as error:
        json.dump({"status": error.response["ResponseMetadata"]["HTTPStatusCode"]}, sys.stdout)
