"""The stage of the client tests, for bytes."""

from tests.sdk.conftest import _stage as _stage, stage as stage
