"""Signatures kept between calls: apart for each tenant, bounded, gone after a while."""

from gateway.dialects.common.signatures import CallerSignatures, SignatureLimits, SignatureStore

KEY = ("gemini:m", "call_1")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_signature_comes_back_to_its_tenant_and_target_only() -> None:
    kept = SignatureStore()
    CallerSignatures(kept, "ann", "gemini:m").keep("call_1", "sig")
    assert CallerSignatures(kept, "ann", "gemini:m").find("call_1") == "sig"
    assert CallerSignatures(kept, "ann", "gemini:m").find("call_2") is None
    assert CallerSignatures(kept, "ann", "gemini:other").find("call_1") is None
    assert CallerSignatures(kept, "bob", "gemini:m").find("call_1") is None


def test_the_latest_signature_of_a_call_counts_once() -> None:
    kept = SignatureStore()
    kept.keep("ann", KEY, "first")
    size = kept.size
    kept.keep("ann", KEY, "later")
    assert kept.find("ann", KEY) == "later"
    assert (kept.count, kept.size) == (1, size)


def test_an_entry_lasts_from_its_last_use() -> None:
    clock = Clock()
    kept = SignatureStore(SignatureLimits(seconds=10.0), clock)
    kept.keep("ann", KEY, "sig")
    clock.now += 9
    assert kept.find("ann", KEY) == "sig"
    clock.now += 9
    assert kept.find("ann", KEY) == "sig"
    clock.now += 10
    assert kept.find("ann", KEY) is None
    assert (kept.count, kept.size) == (0, 0)


def test_a_tenant_has_so_many_and_the_longest_unused_goes_first() -> None:
    kept = SignatureStore(SignatureLimits(own_count=2))
    kept.keep("bob", KEY, "bobs")
    kept.keep("ann", ("t", "1"), "a")
    kept.keep("ann", ("t", "2"), "b")
    assert kept.find("ann", ("t", "1")) == "a"
    kept.keep("ann", ("t", "3"), "c")
    assert [kept.find("ann", ("t", id)) for id in "123"] == ["a", None, "c"]
    assert kept.find("bob", KEY) == "bobs"


def test_a_tenant_has_so_many_bytes() -> None:
    kept = SignatureStore(SignatureLimits(own_size=4096))
    kept.keep("ann", ("t", "1"), "x" * 2000)
    kept.keep("ann", ("t", "2"), "x" * 2000)
    assert [kept.find("ann", ("t", id)) is None for id in "12"] == [True, False]
    kept.keep("ann", ("t", "3"), "x" * 5000)
    assert kept.find("ann", ("t", "3")) is None
    assert kept.find("ann", ("t", "2")) is not None


def test_all_together_have_so_many_and_so_many_bytes() -> None:
    kept = SignatureStore(SignatureLimits(count=3, size=4096))
    for tenant in ("ann", "bob", "eve", "kim"):
        kept.keep(tenant, KEY, "s")
    assert [kept.find(tenant, KEY) for tenant in ("ann", "bob", "eve", "kim")] == [
        None, "s", "s", "s",
    ]  # fmt: skip
    kept.keep("kim", ("t", "2"), "x" * 3500)
    assert kept.size <= 4096
    assert kept.find("kim", ("t", "2")) is not None
    assert kept.find("bob", KEY) is None
