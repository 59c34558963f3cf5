"""Copies and pickles of models that have answered already."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from mlo import Router
from mlo_langchain import MultiLLMEmbeddings, MultiLLMOrchestrator


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mlo.toml"
    path.write_text('[providers.mock]\nuse = "mock"\nanswer = "from the file"\n', encoding="utf-8")
    return path


@pytest.fixture
def router() -> Router:
    router = Router()
    router.add_provider("mock")
    return router


def test_a_used_model_over_a_file_can_be_pickled(file: Path) -> None:
    model = MultiLLMOrchestrator(config_file=file, temperature=0.5)
    model.invoke("q")
    restored = pickle.loads(pickle.dumps(model))
    assert restored.temperature == 0.5
    assert restored.invoke("q").text == "from the file"


def test_a_pickle_holds_nothing_of_the_file(file: Path) -> None:
    model = MultiLLMOrchestrator(config_file=file)
    model.invoke("q")
    assert b"from the file" not in pickle.dumps(model)


def test_used_embeddings_over_a_file_can_be_pickled(file: Path) -> None:
    embeddings = MultiLLMEmbeddings(config_file=file)
    vector = embeddings.embed_query("q")
    assert pickle.loads(pickle.dumps(embeddings)).embed_query("q") == vector


@pytest.mark.parametrize("kind", [MultiLLMOrchestrator, MultiLLMEmbeddings])
def test_what_is_over_a_router_object_cannot_be_pickled_and_says_so(
    kind: type[MultiLLMOrchestrator | MultiLLMEmbeddings], router: Router
) -> None:
    with pytest.raises(TypeError, match="config_file"):
        pickle.dumps(kind(router=router))


def test_a_deep_copy_of_a_model_shares_its_router(router: Router) -> None:
    model = MultiLLMOrchestrator(router=router, extra={"a": {}})
    model.invoke("q")
    copied = copy.deepcopy(model)
    assert copied.router is router
    assert copied.extra["a"] is not model.extra["a"]
    assert copied.invoke("q").text == "Echo: q"


def test_a_deep_copy_of_embeddings_shares_their_router(router: Router) -> None:
    embeddings = MultiLLMEmbeddings(router=router)
    vector = embeddings.embed_query("q")
    assert embeddings.model_copy(deep=True).embed_query("q") == vector
