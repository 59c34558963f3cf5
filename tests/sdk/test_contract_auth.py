"""The auth schemes of the SDK keep the contract of auth schemes; what is checked stands in the SDK itself."""

from __future__ import annotations

from mlo_sdk.testing.own_schemes import TestApiKey, TestBasic, TestBearer, TestNone, TestOAuth2

__all__ = ["TestApiKey", "TestBasic", "TestBearer", "TestNone", "TestOAuth2"]


def test_checks_that_do_not_apply_are_named() -> None:
    assert TestOAuth2.switched_off == {
        "test_fixed_credentials_that_are_rejected_cannot_be_renewed": "needs fixed credentials"
    }
    assert "test_many_who_wait_share_one_renewal" in TestBearer.switched_off
