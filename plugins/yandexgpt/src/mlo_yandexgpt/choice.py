"""Which model, on which wire, at what price: decided from names and facts, without I/O."""

from __future__ import annotations

from attrs import frozen

from mlo.errors import ModelNotFound
from mlo.models import Price

from .catalog import known, price_of
from .config import YandexConfig
from .uris import ModelUri, folder_fault, model_uri

__all__ = ["Choice", "Chooser"]

_MOST_CHOICES = 256


@frozen(kw_only=True)
class Choice:
    """A model as calls need it. ``can_reason`` is ``None`` when nobody knows."""

    uri: str
    native: bool
    can_reason: bool | None = None
    price: Price | None = None


class Chooser:
    """Remembers what it has found for a name."""

    def __init__(self, config: YandexConfig) -> None:
        self._config = config
        self._choices: dict[str | None, Choice] = {}

    def generation(self, name: str | None) -> Choice:
        """The model for a chat request; ``None`` is the configured one.

        Raises:
            ModelNotFound: when it is not the name of a model that generates.
        """
        found = self._choices.get(name)
        if found is None:
            found = self._choose(self.uri(name or self._config.model))
            if len(self._choices) < _MOST_CHOICES:
                self._choices[name] = found
        return found

    def _choose(self, uri: ModelUri) -> Choice:
        facts = known(uri)
        native = self._config.api == "native"
        if self._config.api == "auto":
            native = facts.own if facts else uri.looks_own
        return Choice(
            uri=str(uri),
            native=native,
            can_reason=facts.reasoning if facts else None,
            price=price_of(uri, asynchronous=self._config.mode == "async" and native),
        )

    def uri(self, name: str, scheme: str = "gpt") -> ModelUri:
        """The URI of a model of this kind.

        Raises:
            ModelNotFound: when it is not one.
        """
        uri = model_uri(name, self._config.folder_id, scheme)
        if uri.scheme != scheme:
            raise ModelNotFound(f"{name!r} begins with {uri.scheme}://, here a model of {scheme}:// is needed")
        fault = folder_fault(uri.folder)
        if fault:
            raise ModelNotFound(f"{name!r}: {fault}")
        return uri
