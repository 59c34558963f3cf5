"""The emulator against clients that this project did not write, and against the vendor's schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import any_llm_client
import httpx
import pytest

from .cloud import FOLDER, KEY, OAUTH, URI, Cloud, emulated

COMPLETION = "/foundationModels/v1/completion"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with emulated() as found:
        yield found


@pytest.fixture
def rude() -> Iterator[Cloud]:
    """A cloud that is sent nonsense on purpose."""
    with emulated(requests_are_valid=False) as found:
        yield found


def ask(cloud: Cloud, path: str = COMPLETION, key: str = KEY, **body: Any) -> httpx.Response:
    return httpx.post(cloud.url + path, json=body, headers={"Authorization": f"Api-Key {key}"})


def question(text: str = "Привет", **more: Any) -> dict[str, Any]:
    return {"modelUri": URI, "messages": [{"role": "user", "text": text}], **more}


def client(cloud: Cloud, **retry: Any) -> any_llm_client.YandexGPTClient:
    config = any_llm_client.YandexGPTConfig(
        url=cloud.url + COMPLETION, auth_header=f"Api-Key {KEY}", folder_id=FOLDER, model_name="yandexgpt"
    )
    return any_llm_client.YandexGPTClient(config, request_retry=any_llm_client.RequestRetryConfig(attempts=1))


def errors_of(response: httpx.Response) -> tuple[int, int, str]:
    found = response.json()
    error = found.get("error", found)
    return response.status_code, error.get("grpcCode", error.get("code")), error["message"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_foreign_client_gets_an_answer(cloud: Cloud, anyio_backend: str) -> None:
    async with client(cloud) as foreign:
        response = await foreign.request_llm_message("Привет")
    assert response.content == "Эхо: Привет"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_foreign_client_reads_the_stream(cloud: Cloud, anyio_backend: str) -> None:
    cloud.change(frame_chars=5)
    async with client(cloud) as foreign, foreign.stream_llm_message_chunks("расскажи о себе") as chunks:
        pieces = [chunk.content async for chunk in chunks]
    assert "".join(piece or "" for piece in pieces) == "Эхо: расскажи о себе"
    assert len(pieces) == 4


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_foreign_client_sees_the_gauge(cloud: Cloud, anyio_backend: str) -> None:
    cloud.change(gauge=0)
    async with client(cloud) as foreign:
        with pytest.raises(any_llm_client.LLMError) as caught:
            await foreign.request_llm_message("Привет")
    assert b"gauge quota limit exceed: allowed 0 requests" in caught.value.response_content


def test_usage_agrees_with_the_tokenizer(cloud: Cloud) -> None:
    usage = ask(cloud, **question("расскажи о себе")).json()["result"]["usage"]
    tokens = ask(cloud, "/foundationModels/v1/tokenizeCompletion", **question("расскажи о себе")).json()["tokens"]
    assert usage["inputTextTokens"] == str(len(tokens))


def test_stream_frames_repeat_the_text(cloud: Cloud) -> None:
    cloud.change(frame_chars=4, wire_chunk=3)
    response = ask(cloud, **question("шесть", completionOptions={"stream": True}))
    frames = [json.loads(line)["result"]["alternatives"][0] for line in response.content.splitlines()]
    assert [frame["message"]["text"] for frame in frames] == ["Эхо:", "Эхо: шес", "Эхо: шесть"]
    assert frames[-1]["status"] == "ALTERNATIVE_STATUS_FINAL"


def test_tool_calls_have_no_ids_and_double_numbers(cloud: Cloud) -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}}
    tools = [{"function": {"name": "forecast", "parameters": schema}}]
    body = ask(cloud, **question("forecast и ещё forecast", tools=tools)).json()["result"]["alternatives"][0]
    calls = body["message"]["toolCallList"]["toolCalls"]
    assert body["status"] == "ALTERNATIVE_STATUS_TOOL_CALLS"
    assert [call["functionCall"]["arguments"]["days"] for call in calls] == [1.0, 1.0]


def test_embedding_is_a_unit_vector(cloud: Cloud) -> None:
    body = ask(cloud, "/foundationModels/v1/textEmbedding", modelUri=f"emb://{FOLDER}/text-search-doc/latest", text="а")
    vector = body.json()["embedding"]
    assert len(vector) == 256
    assert sum(value * value for value in vector) == pytest.approx(1.0)


def test_classification_knows_the_labels(cloud: Cloud) -> None:
    body = ask(
        cloud,
        "/foundationModels/v1/fewShotTextClassification",
        modelUri=f"cls://{FOLDER}/yandexgpt-lite/latest",
        taskDescription="о чём текст",
        labels=["спорт", "наука"],
        text="новости: наука",
    )
    best = max(body.json()["predictions"], key=lambda each: each["confidence"])
    assert best["label"] == "наука"


def test_operation_ends_after_some_polls(cloud: Cloud) -> None:
    headers = {"Authorization": f"Api-Key {KEY}"}
    found = ask(cloud, "/foundationModels/v1/completionAsync", **question()).json()
    polls = [httpx.get(f"{cloud.url}/operations/{found['id']}", headers=headers).json() for _ in range(3)]
    assert [found["done"], *(poll["done"] for poll in polls)] == [False, False, True, True]
    assert polls[-1]["response"]["alternatives"][0]["message"]["text"] == "Эхо: Привет"


def test_operation_can_be_cancelled(cloud: Cloud) -> None:
    headers = {"Authorization": f"Api-Key {KEY}"}
    found = ask(cloud, "/foundationModels/v1/completionAsync", **question()).json()
    cancelled = httpx.get(f"{cloud.url}/operations/{found['id']}:cancel", headers=headers).json()
    assert (cancelled["done"], cancelled["error"]["code"]) == (True, 1)


def test_content_filter_is_http_200(cloud: Cloud) -> None:
    cloud.change(content_filter=True)
    found = ask(cloud, **question()).json()["result"]
    assert found["alternatives"][0]["status"] == "ALTERNATIVE_STATUS_CONTENT_FILTER"
    assert found["usage"]["totalTokens"] == "0"


def test_error_in_the_middle_is_a_last_line(cloud: Cloud) -> None:
    cloud.change(frame_chars=3, error_after_first=503)
    response = ask(cloud, **question(completionOptions={"stream": True}))
    *_, last = response.content.splitlines()
    assert response.status_code == 200
    assert json.loads(last)["error"]["grpcCode"] == 14


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (question(topP=0.5), "unknown field"),
        (question(completionOptions={"temperature": 1.5}), "temperature"),
        (question(completionOptions={"maxTokens": "2000.5"}), "invalid value"),
        (question(jsonObject=True, jsonSchema={"schema": {}}), "only one of"),
        (question(""), "empty message text"),
        (question("я" * 100_001), "text length is 100001, which is outside the range (0, 100000]"),
        (question("слово " * 40_000), "text length is"),
        (question() | {"modelUri": "yandexgpt"}, "invalid model_uri"),
        (question() | {"modelUri": "gpt://ajeserviceaccount/yandexgpt"}, "does not match"),
    ],
)
def test_nonsense_is_refused(rude: Cloud, body: dict[str, Any], said: str) -> None:
    status, grpc, message = errors_of(ask(rude, **body))
    assert (status, grpc) == (400, 3)
    assert said in message


def test_too_long_prompt_names_the_limit(cloud: Cloud) -> None:
    messages = [{"role": "user", "text": "слово " * 10_000}] * 2
    status, _grpc, message = errors_of(ask(cloud, modelUri=URI, messages=messages))
    assert (status, message[:48]) == (400, "number of input tokens must be no more than 3276")


def test_wrong_key_is_401(cloud: Cloud) -> None:
    assert errors_of(ask(cloud, key="AQVNother", **question())) == (401, 16, "Unknown api key")


def test_oauth_token_buys_an_iam_token(cloud: Cloud) -> None:
    token = httpx.post(f"{cloud.url}/iam/v1/tokens", json={"yandexPassportOauthToken": OAUTH}).json()["iamToken"]
    found = httpx.post(cloud.url + COMPLETION, json=question(), headers={"Authorization": f"Bearer {token}"})
    assert found.status_code == 200


def test_revoked_token_is_401(cloud: Cloud) -> None:
    token = httpx.post(f"{cloud.url}/iam/v1/tokens", json={"yandexPassportOauthToken": OAUTH}).json()["iamToken"]
    httpx.post(f"{cloud.url}/iam/v1/tokens:revoke", json={"iamToken": token})
    found = httpx.post(cloud.url + COMPLETION, json=question(), headers={"Authorization": f"Bearer {token}"})
    assert errors_of(found)[:2] == (401, 16)


def test_same_token_is_given_again(cloud: Cloud) -> None:
    cloud.change(reissue=True)
    tokens = [
        httpx.post(f"{cloud.url}/iam/v1/tokens", json={"yandexPassportOauthToken": OAUTH}).json()["iamToken"]
        for _ in range(2)
    ]
    assert tokens[0] == tokens[1]


def test_token_dies_in_the_middle_of_a_run(cloud: Cloud) -> None:
    cloud.change(token_requests=2)
    token = httpx.post(f"{cloud.url}/iam/v1/tokens", json={"yandexPassportOauthToken": OAUTH}).json()["iamToken"]
    statuses = [
        httpx.post(cloud.url + COMPLETION, json=question(), headers={"Authorization": f"Bearer {token}"}).status_code
        for _ in range(3)
    ]
    assert statuses == [200, 200, 401]


def test_metadata_needs_its_header(cloud: Cloud) -> None:
    address = f"{cloud.url}/computeMetadata/v1/instance/service-accounts/default/token"
    assert httpx.get(address).status_code == 403
    found = httpx.get(address, headers={"Metadata-Flavor": "Google"}).json()
    assert found["token_type"] == "Bearer"


def test_hourly_quota_is_a_rate(cloud: Cloud) -> None:
    cloud.change(generations_per_hour=1)
    answers = [ask(cloud, **question()) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "RequestsPerHour.rate rate quota limit exceed" in errors_of(answers[1])[2]


def test_unknown_route_is_plain_text(cloud: Cloud) -> None:
    response = httpx.post(f"{cloud.url}/v1/responses", json={})
    assert (response.status_code, response.text) == (404, "404 page not found")
