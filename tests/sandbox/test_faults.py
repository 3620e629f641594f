import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError

from sandbox.faults import Fault
from sandbox.issuer import new_key
from sandbox.job import Job
from sandbox.world import World, github_trust


def ask(world, **options):
    request = world.issuer.start(Job())
    headers = {"Authorization": f"Bearer {request.token}"}
    url = f"{request.url}&audience=sts.amazonaws.com"
    return requests.get(url, headers=headers, timeout=5, **options)


def whoami(world):
    return world.admin("sts").get_caller_identity()


def error(raised):
    answer = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def test_scripted_faults_are_met_in_order_one_a_call_and_then_no_more():
    with World() as world:
        world.faults.script("idtoken", Fault(status=502), Fault(status=503))
        assert [ask(world).status_code for _ in range(3)] == [502, 503, 200]


def test_a_fault_for_always_follows_those_in_the_script():
    with World() as world:
        world.faults.script("idtoken", Fault(status=502), always=Fault(status=500))
        assert [ask(world).status_code for _ in range(3)] == [502, 500, 500]


def test_cleared_faults_are_not_met():
    with World() as world:
        world.faults.script("idtoken", Fault(status=502), always=Fault(status=500))
        world.faults.clear()
        assert ask(world).status_code == 200


def test_a_fault_of_one_operation_leaves_the_others_alone():
    with World() as world:
        world.faults.script("AssumeRole", always=Fault(status=500, code="InternalFailure"))
        assert whoami(world)["Account"] == "123456789012"


def test_the_token_endpoint_tells_an_error_in_json():
    with World() as world:
        world.faults.script("idtoken", Fault(status=403, code="Forbidden", message="not in progress"))
        answer = ask(world)
    assert (answer.status_code, answer.json()) == (403, {"message": "not in progress", "typeKey": "Forbidden"})


def test_sts_tells_an_error_in_its_own_envelope():
    with World() as world:
        world.faults.script("GetCallerIdentity", Fault(status=503, code="ServiceUnavailable", message="a < b"))
        with pytest.raises(ClientError) as raised:
            whoami(world)
    assert error(raised) == (503, "ServiceUnavailable", "a < b")
    assert raised.value.response["Error"]["Type"] == "Receiver"
    assert raised.value.response["ResponseMetadata"]["RequestId"]


def test_an_aws_error_without_a_status_is_the_senders():
    with World() as world:
        world.faults.script("GetCallerIdentity", Fault(code="Throttling", message="Rate exceeded"))
        with pytest.raises(ClientError) as raised:
            whoami(world)
    assert error(raised) == (400, "Throttling", "Rate exceeded")
    assert raised.value.response["Error"]["Type"] == "Sender"


def test_s3_tells_an_error_in_its_own_envelope():
    with World() as world:
        world.faults.script("ListBuckets", Fault(status=503, code="SlowDown", message="Please reduce"))
        with pytest.raises(ClientError) as raised:
            world.admin("s3").list_buckets()
    assert error(raised) == (503, "SlowDown", "Please reduce")


def test_an_answer_can_be_given_word_for_word():
    with World() as world:
        world.faults.script("idtoken", Fault(body="<html>", status=502, content_type="text/html"))
        answer = ask(world)
    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (
        502,
        "<html>",
        "text/html",
    )


def test_an_answer_word_for_word_can_miss_the_value():
    with World() as world:
        world.faults.script("idtoken", Fault(body='{"count": 0}', content_type="application/json"))
        answer = ask(world)
    assert (answer.status_code, answer.json()) == (200, {"count": 0})


def test_headers_go_onto_a_faulty_answer():
    with World() as world:
        world.faults.script("idtoken", Fault(status=429, headers={"Retry-After": "7"}))
        assert ask(world).headers["Retry-After"] == "7"


def test_headers_go_onto_the_real_answer():
    with World() as world:
        world.faults.script("idtoken", Fault(headers={"X-Extra": "1"}))
        answer = ask(world)
    assert (answer.status_code, answer.headers["X-Extra"]) == (200, "1")


def test_an_answer_can_point_elsewhere():
    with World() as world:
        world.faults.script("idtoken", Fault(status=302, headers={"Location": "http://127.0.0.1:9/"}))
        answer = ask(world, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:9/")


def test_the_issuer_can_hang_up_before_it_answers():
    with World() as world:
        world.faults.script("idtoken", Fault(drop="before"))
        with pytest.raises(requests.ConnectionError):
            ask(world)
        assert ask(world).status_code == 200


def test_the_issuer_can_hang_up_midway():
    with World() as world:
        world.faults.script("idtoken", Fault(drop="midway"))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            ask(world)


def test_aws_can_hang_up_before_it_answers():
    with World() as world:
        world.faults.script("GetCallerIdentity", Fault(drop="before"))
        with pytest.raises(ConnectionClosedError):
            whoami(world)


def test_aws_can_hang_up_midway():
    with World() as world:
        world.faults.script("GetCallerIdentity", Fault(drop="midway"))
        with pytest.raises(ResponseParserError):
            whoami(world)


def test_a_held_answer_waits_for_its_event():
    go = threading.Event()
    with World() as world, ThreadPoolExecutor() as pool:
        world.faults.script("idtoken", Fault(hold=go))
        answer = pool.submit(ask, world)
        with pytest.raises(TimeoutError):
            answer.result(timeout=0.05)
        go.set()
        assert answer.result(timeout=5).status_code == 200


def test_the_end_of_the_world_lets_a_held_answer_go():
    go = threading.Event()
    with World() as world:
        world.faults.script("idtoken", Fault(hold=go))
    assert go.is_set()


def test_a_client_that_gave_up_waiting_leaves_the_world_working():
    with World() as world:
        world.faults.script("GetCallerIdentity", Fault(hold=threading.Event()))
        request = requests.Request("GET", f"{world.aws_url}/?Action=GetCallerIdentity").prepare()
        with requests.Session() as session, contextlib.suppress(requests.ReadTimeout):
            session.send(request, timeout=0.05)
        assert whoami(world)["Account"] == "123456789012"


def test_a_token_can_come_with_changed_claims():
    with World() as world:
        world.faults.script("idtoken", Fault(claims={"exp": 1, "actor": None}))
        claims = jwt.decode(ask(world).json()["value"], options={"verify_signature": False})
    assert claims["exp"] == 1
    assert "actor" not in claims


def test_a_token_can_come_signed_by_another_key():
    with World() as world:
        world.faults.script("idtoken", Fault(key=new_key()))
        role = world.create_role("deploy", trust=github_trust(world.register_provider()))
        token = ask(world).json()["value"]
        with pytest.raises(ClientError, match="Token signature invalid"):
            world.client("sts").assume_role_with_web_identity(
                RoleArn=role, RoleSessionName="run", WebIdentityToken=token
            )


def test_calls_are_recorded_as_they_came_in():
    with World() as world:
        ask(world)
        call = world.calls[-1]
    assert (call.operation, call.method, call.scheme) == ("idtoken", "GET", "Bearer")
    assert call.query == {"api-version": "2.0", "audience": "sts.amazonaws.com"}
    assert call.headers["accept"] == "*/*"
    assert (call.access_key_id, call.security_token) == (None, None)


def test_a_signed_call_tells_its_signer():
    with World() as world:
        client = world.admin("sts")
        client.get_caller_identity()
        call = world.calls[-1]
    assert call.form == {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
    assert call.scheme == "AWS4-HMAC-SHA256"
    assert call.access_key_id.startswith("AKIA")


def test_a_call_without_an_authorization_has_no_scheme():
    with World() as world:
        requests.get(f"{world.issuer.url}/.well-known/jwks", timeout=5)
        assert (world.calls[-1].operation, world.calls[-1].scheme) == ("jwks", None)


def test_a_faulty_call_is_recorded_too():
    with World() as world:
        world.faults.script("idtoken", Fault(status=500))
        ask(world)
        assert [call.operation for call in world.calls] == ["idtoken"]


def test_the_headers_of_a_call_stay_out_of_its_repr():
    with World() as world:
        ask(world)
        assert "Bearer" not in repr(world.calls[-1])
