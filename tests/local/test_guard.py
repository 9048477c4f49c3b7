"""Attacks on the embedded AWS by a page in its owner's browser and by other users of the machine.

Each is sent as a browser, a page or a user would send it, straight over HTTP.
"""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from steadyspot.deploy.local.aws import LocalAws
from tests.local.stacks import Stacks


def scope(key: str, service: str) -> str:
    """A signature's header; nobody looks at what is signed."""
    return (
        f"AWS4-HMAC-SHA256 Credential={key}/20261124/us-east-1/{service}/aws4_request, "
        "SignedHeaders=host, Signature=0"
    )


def ask(
    aws: LocalAws,
    method: str,
    path: str,
    body: bytes | None = None,
    **headers: str,
) -> tuple[int, bytes, Mapping[str, str]]:
    """Send a request as it is; underscores in headers' names are hyphens."""
    connection = http.client.HTTPConnection(aws.endpoint_url.removeprefix("http://"), timeout=60)
    connection.request(
        method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )
    reply = connection.getresponse()
    answer = reply.status, reply.read(), {k.lower(): v for k, v in reply.getheaders()}
    connection.close()
    return answer


LIST_CLUSTERS = {
    "X_Amz_Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
    "Content_Type": "application/x-amz-json-1.1",
}


@pytest.mark.parametrize("key", ["", "local", "AKIAIOSFODNN7EXAMPLE"])
def test_calls_without_the_token_as_access_key_are_refused(local_aws: LocalAws, key: str) -> None:
    signed = {"Authorization": scope(key, "ecs")} if key else {}
    status, body, _ = ask(local_aws, "POST", "/", b"{}", **LIST_CLUSTERS, **signed)
    assert status == 403
    assert b".steadyspot/local.json" in body
    token = local_aws.address.token
    status, _, _ = ask(
        local_aws, "POST", "/", b"{}", **LIST_CLUSTERS, Authorization=scope(token, "ecs")
    )
    assert status == 200


def test_clients_of_every_protocol_are_told_that_the_key_is_wrong(local_aws: LocalAws) -> None:
    for service, operation in (
        ("ecs", "list_clusters"),
        ("sqs", "list_queues"),
        ("cloudwatch", "list_metrics"),
        ("cloudformation", "list_stacks"),
        ("ec2", "describe_vpcs"),
        ("s3", "list_buckets"),
        ("scheduler", "list_schedules"),
    ):
        session = boto3.Session("local", "local", region_name="us-east-1")
        client = session.client(service, endpoint_url=local_aws.endpoint_url)  # type: ignore[call-overload]
        with pytest.raises(ClientError) as refused:
            getattr(client, operation)()
        assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId", service
        assert "local.json" in refused.value.response["Error"]["Message"], service


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_steadyspot/outbox"),
        ("GET", "/_steadyspot/market"),
        ("POST", "/_steadyspot/images"),
        ("POST", "/_steadyspot/reclaim"),
        ("GET", "/_steadyspot/health"),
        ("GET", "/moto-api/data.json"),
        ("POST", "/moto-api/reset"),
        ("GET", "/latest/meta-data/iam/security-credentials/"),
        ("GET", "/bucket/key"),
        ("PUT", "/bucket"),
        ("GET", "/ecs_us-east-1/"),
    ],
)
def test_nothing_is_served_to_who_has_no_token(local_aws: LocalAws, method: str, path: str) -> None:
    status, _, _ = ask(local_aws, method, path, b"{}" if method == "POST" else None)
    assert status == 403


def test_the_metadata_of_a_task_need_the_token_too(local_aws: LocalAws) -> None:
    anybody, _, _ = ask(local_aws, "GET", "/_steadyspot/metadata/0123-4/task")
    guessed, _, _ = ask(local_aws, "GET", "/_steadyspot/metadata/guess/0123-4/task")
    token = local_aws.address.token
    owner, _, _ = ask(local_aws, "GET", f"/_steadyspot/metadata/{token}/0123-4/task")
    assert (anybody, guessed, owner) == (403, 403, 404)


@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Host": "evil.example"},
        {"Host": "evil.example:5000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "0.0.0.0"},
        {"Host": ""},
        {"Host": "[::1]"},
        {"Host": "[::1]:5000"},
        {"Host": "[::ffff:127.0.0.1]"},
        {"Host": "127.1"},
        {"Host": "2130706433"},
        {"Host": "0x7f.0.0.1"},
        {"Host": "localhost."},
        {"Host": "localhost.evil.example"},
        {"Host": "localhost:999999"},
        {"Host": "127.0.0.1:80@evil.example"},
        {"Host": "127.0.0.1, evil.example"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:5000"},
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"},
        {"Sec_Fetch_Site": "CROSS-SITE"},
        {"Sec_Fetch_Site": ""},
    ],
    ids=str,
)
def test_what_a_page_sends_is_refused_even_with_the_token(
    local_aws: LocalAws, sent: dict[str, str]
) -> None:
    """A page on a rebound name has that name as its Host; one on any other has an Origin."""
    signed = {"Authorization": scope(local_aws.address.token, "ecs")}
    status, body, headers = ask(local_aws, "POST", "/", b"{}", **LIST_CLUSTERS, **signed, **sent)
    assert status == 403
    assert b"clusterArns" not in body
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", None], ids=str)
def test_a_form_of_a_page_does_nothing(local_aws: LocalAws, kind: str, origin: str | None) -> None:
    """What a page can send without a preflight: no header of its own, so no signature either."""
    forms = {
        "/": b"Action=CreateTopic&Name=planted&Version=2010-03-31",
        "/_steadyspot/images": b'{"name": "planted", "entrypoint": ["touch"], "x": "="}',
        "/moto-api/reset": b"",
    }
    sent = {"Content_Type": kind} | ({} if origin is None else {"Origin": origin})
    for path, body in forms.items():
        assert ask(local_aws, "POST", path, body, **sent)[0] == 403
    topics = local_aws.session().client("sns").list_topics()["Topics"]
    assert not any("planted" in one["TopicArn"] for one in topics)


def sent_as_it_is(aws: LocalAws, text: str) -> bytes:
    """Send bytes that no client would, and return all that comes back."""
    port = int(aws.endpoint_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.mark.parametrize(
    ("line", "headers", "body"),
    [
        ("GET http://evil.example/_steadyspot/outbox HTTP/1.1", "Host: 127.0.0.1", ""),
        ("GET /_steadyspot/outbox HTTP/1.1", "Host: 127.0.0.1\r\nHost: evil.example", ""),
        ("GET /_steadyspot/outbox HTTP/1.1", "Host: evil.example\r\nHost: 127.0.0.1", ""),
        ("GET /_steadyspot/outbox HTTP/1.0", "Accept: */*", ""),
        ("GET /_steadyspot/outbox", "", ""),
        (
            "POST /_steadyspot/health HTTP/1.1",
            "Host: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked",
            "0\r\n\r\nGET /_steadyspot/outbox HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        ),
    ],
    ids=["absolute", "a second Host", "a first Host", "no Host", "HTTP/0.9", "a request within"],
)
def test_no_form_of_a_request_leads_past_the_host(
    local_aws: LocalAws, line: str, headers: str, body: str
) -> None:
    """Each bears the token; none comes to the outbox, which is a list."""
    bearer = f"Authorization: Bearer {local_aws.address.token}"
    answer = sent_as_it_is(local_aws, f"{line}\r\n{headers}\r\n{bearer}\r\n\r\n{body}")
    assert b"no page of a browser" in answer
    assert b"[" not in answer


def test_a_preflight_learns_of_nothing_allowed(local_aws: LocalAws) -> None:
    asked = {"Access_Control_Request_Method": "POST", "Origin": "https://evil.example"}
    status, _, headers = ask(local_aws, "OPTIONS", "/", None, **asked)
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control-")]


def test_answers_to_the_owner_open_nothing_to_pages(local_aws: LocalAws) -> None:
    signed = {"Authorization": scope(local_aws.address.token, "ecs")}
    _, _, headers = ask(local_aws, "POST", "/", b"{}", **LIST_CLUSTERS, **signed)
    assert not [name for name in headers if name.startswith("access-control-")]


EXECUTES = [
    "!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{mark}]]",
    "!!python/object/new:os.system ['touch {mark}']",
    "!!python/object/apply:os.system ['touch {mark}']",
    "!!python/module:this ''",
    "!!python/name:os.system ''",
]


@pytest.mark.parametrize("attack", EXECUTES)
def test_a_template_executes_nothing(
    local_aws: LocalAws, stacks: Stacks, tmp_path: Path, attack: str
) -> None:
    mark = tmp_path / "executed"
    template = (
        f"Description: {attack.format(mark=mark)}\n"
        "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n"
    )
    client = stacks.cloudformation
    stack = {"StackName": stacks.platform}
    calls: dict[str, dict[str, str]] = {
        "create_stack": stack,
        "validate_template": {},
        "get_template_summary": {},
        "create_change_set": {**stack, "ChangeSetName": "c", "ChangeSetType": "CREATE"},
    }
    for operation, arguments in calls.items():
        with pytest.raises(ClientError) as refused:
            getattr(client, operation)(TemplateBody=template, **arguments)
        error = refused.value.response["Error"]
        assert error["Code"] == "ValidationError"
        assert error["Message"].startswith("Template format error: ")
    assert not mark.exists()
    assert "Stacks" not in client.list_stacks() or not client.list_stacks()["Stacks"]


def test_a_template_that_is_neither_yaml_nor_json_is_refused_as_aws_does(stacks: Stacks) -> None:
    for text in ("{", "a: [", "- a\n- b", "just words", "a: &x [*x, *y]"):
        with pytest.raises(ClientError) as refused:
            stacks.cloudformation.create_stack(StackName=stacks.platform, TemplateBody=text)
        error = refused.value.response["Error"]
        assert error["Code"] == "ValidationError", text
        assert error["Message"].startswith("Template format error: "), text


class Counted:
    """A client that counts how often it sends a request."""

    def __init__(self, aws: LocalAws, service: str) -> None:
        self.sent = 0
        self.client: Any = aws.session().client(
            service, config=Config(retries={"mode": "standard", "max_attempts": 5})
        )
        self.client.meta.events.register("before-send.*", self._count)

    def _count(self, **_: Any) -> None:
        self.sent += 1


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("lambda", "list_functions", {}),
        ("batch", "describe_compute_environments", {}),
        ("route53", "list_hosted_zones", {}),
        ("autoscaling", "describe_auto_scaling_groups", {}),
        ("glue", "list_jobs", {}),
        ("ecs", "submit_task_state_change", {}),
        ("cloudwatch", "list_managed_insight_rules", {"ResourceARN": "arn:aws:x"}),
        ("cloudformation", "describe_type", {"TypeName": "A::B::Cdefghi"}),
        ("ec2", "describe_fleet_history", {"FleetId": "fleet-1", "StartTime": "2026-01-01"}),
        ("sns", "get_sms_sandbox_account_status", {}),
        ("xray", "get_insight", {"InsightId": "12345678-1234-1234-1234-123456789012"}),
        ("logs", "list_anomalies", {}),
    ],
)
def test_what_is_not_offered_says_so_once_in_the_protocol_of_the_client(
    local_aws: LocalAws, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    counted = Counted(local_aws, service)
    with pytest.raises(ClientError) as refused:
        getattr(counted.client, operation)(**arguments)
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501, answer
    assert answer["Error"]["Code"] == "NotImplemented"
    assert "embedded AWS does not offer" in answer["Error"]["Message"]
    assert "\n" not in answer["Error"]["Message"]
    assert counted.sent == 1


@pytest.mark.parametrize(("length", "status"), [("nine", 400), ("-1", 400), ("1e3", 400)])
def test_careless_requests_are_answered_and_not_traced(
    local_aws: LocalAws, capfd: pytest.CaptureFixture[str], length: str, status: int
) -> None:
    signed = {"Authorization": scope(local_aws.address.token, "ecs")}
    answered, _, _ = ask(
        local_aws, "POST", "/", b"{}", **LIST_CLUSTERS, **signed, Content_Length=length
    )
    assert answered == status
    target = {**LIST_CLUSTERS, "X_Amz_Target": "AmazonEC2ContainerServiceV20141113.RunTask"}
    assert ask(local_aws, "POST", "/", b"{", **target, **signed)[0] in (400, 501)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_the_switches_of_another_process_bear_the_token(local_aws: LocalAws) -> None:
    url = f"{local_aws.endpoint_url}/_steadyspot/outbox"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url)
    assert local_aws.session().switches.mails() == local_aws.outbox.as_json()
    token = local_aws.address.token
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked) as answer:
        assert isinstance(json.load(answer), list)


def test_a_proxy_of_the_environment_sees_neither_calls_nor_the_token(
    local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    session = local_aws.session()
    assert session.client("ecs").list_clusters()["ResponseMetadata"]
    assert session.switches.mails() is not None
