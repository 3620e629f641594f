"""A real registry on loopback, and an engine that pulls from it: what goes wrong is said."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from tests.release.conftest import VERSION, built

from release import registry
from release.errors import ReleaseError
from release.registry import Image
from release.versions import Version

pytestmark = pytest.mark.registry

OTHER = f"sha256:{'0' * 64}"
LOGIN = "auth: {htpasswd: {realm: test, path: %s}}"


@pytest.fixture
def pushed(tmp_path: Path, address: str) -> Image:
    """An image in the registry, under a name of its own."""
    release = built(tmp_path / "out", f"{address}/{tmp_path.name.replace('_', '-').lower()}")
    registry.push(release.layout, release.image)
    return release.image


def test_the_index_is_in_the_registry_under_its_digest_and_its_tag(pushed):
    assert registry.digest_of(pushed.by_digest) == pushed.digest
    assert registry.digest_of(f"{pushed.name}:{pushed.tag}") == pushed.digest


def test_a_push_that_is_run_again_changes_nothing(tmp_path, pushed):
    again = built(tmp_path / "again", pushed.name)
    registry.push(again.layout, again.image)

    assert again.image == pushed


def test_the_image_of_a_version_is_never_replaced(tmp_path, pushed):
    other = built(tmp_path / "other", pushed.name, replace(VERSION, patch=1))

    with pytest.raises(ReleaseError, match="already in the registry"):
        registry.push(other.layout, replace(other.image, tag=pushed.tag))
    assert registry.digest_of(f"{pushed.name}:{pushed.tag}") == pushed.digest


def test_what_is_not_in_the_registry_has_no_digest(address):
    assert registry.digest_of(f"{address}/nothing:1.0.0") is None


def test_a_registry_that_is_down_is_told(tmp_path):
    release = built(tmp_path / "out", "127.0.0.1:9/py-aws-oidc")

    with pytest.raises(ReleaseError, match="does not say") as failure:
        registry.push(release.layout, release.image)
    assert "connection refused" in str(failure.value)


def test_a_tag_that_another_writes_to_during_the_push_is_told(tmp_path, address, monkeypatch):
    release = built(tmp_path / "out", f"{address}/raced")
    digests = iter([None, OTHER])
    monkeypatch.setattr(registry, "digest_of", lambda _: next(digests))

    with pytest.raises(ReleaseError, match=f"has {OTHER}"):
        registry.push(release.layout, release.image)


def test_a_registry_that_denies_access_fails_the_push(tmp_path):
    with registry.serving(tmp_path / "data", LOGIN % (tmp_path / "users")) as address:
        release = built(tmp_path / "out", f"{address}/py-aws-oidc")

        assert registry.digest_of(str(release.image.by_digest)) is None
        with pytest.raises(ReleaseError, match="skopeo copy"):
            registry.push(release.layout, release.image)


@pytest.mark.container
def test_an_image_is_pulled_by_tag_and_digest_and_by_digest(pushed, engine):
    registry.pull(pushed)

    assert engine.ask("image", "inspect", str(pushed)).returncode == 0
    assert engine.ask("pull", pushed.by_digest).returncode == 0
    registry.remove(pushed)
    assert engine.ask("image", "inspect", str(pushed)).returncode == 1


@pytest.mark.container
def test_a_wrong_digest_is_not_pulled(pushed):
    with pytest.raises(ReleaseError, match="failed") as failure:
        registry.pull(replace(pushed, digest=OTHER))
    assert "manifest unknown" in str(failure.value)


@pytest.mark.container
def test_a_layer_that_was_changed_in_the_registry_is_not_pulled(tmp_path):
    # A version of its own: the engine does not ask for layers that it has.
    version = Version(0, 0, secrets.randbelow(10**9))
    with registry.serving(tmp_path / "data") as address:
        release = built(tmp_path / "out", f"{address}/py-aws-oidc", version)
        registry.push(release.layout, release.image)
        for data in (tmp_path / "data").rglob("blobs/**/data"):
            content = data.read_bytes()
            if content.startswith(b"\x1f\x8b"):
                data.write_bytes(content[:40] + bytes(one ^ 1 for one in content[40:43]) + content[43:])

        with pytest.raises(ReleaseError, match="failed") as failure:
            registry.pull(release.image)
    assert "verification failed" in str(failure.value)


@pytest.mark.container
def test_a_registry_that_is_down_does_not_answer_a_pull():
    with pytest.raises(ReleaseError, match="failed") as failure:
        registry.pull(Image("127.0.0.1:9/py-aws-oidc", "1.0.0", OTHER))
    assert "connection refused" in str(failure.value)


@pytest.mark.container
def test_a_private_image_is_not_pulled(tmp_path):
    # docker-registry makes a user with a random password where the file is not there.
    with (
        registry.serving(tmp_path / "data", LOGIN % (tmp_path / "users")) as address,
        pytest.raises(ReleaseError, match="failed") as failure,
    ):
        registry.pull(Image(f"{address}/py-aws-oidc", "1.0.0", OTHER))
    assert "make the package public" in str(failure.value)
    assert "no basic auth credentials" in str(failure.value)


def test_a_server_that_does_not_start_is_told_with_its_log(tmp_path):
    with pytest.raises(ReleaseError, match="did not start"), registry.serving(tmp_path / "data", "nonsense: ["):
        pass


def test_a_server_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "START_SECONDS", 0)

    with pytest.raises(ReleaseError, match="did not start") as failure, registry.serving(tmp_path / "data"):
        pass
    assert "It logged nothing" in str(failure.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ghcr.io/a/b",
        "ghcr.io/a/b:1.0.0",
        f"ghcr.io/a/b@{OTHER}",
        f"127.0.0.1:5000/name@{OTHER}",
        "ghcr.io/a/b:1.0.0@md5:a",
        "ghcr.io/a/b:1.0.0@sha256:abc",
        f"ghcr.io/a/b:1.0.0@{OTHER}0",
        f"ghcr.io/Octo-Org/b:1.0.0@{OTHER}",
        f"ghcr.io/a b:1.0.0@{OTHER}",
        f"ghcr.io/a/b:1.0.0@{OTHER}\n",
    ],
)
def test_an_image_is_named_by_tag_and_digest(text):
    with pytest.raises(ReleaseError, match="does not name an image"):
        Image.parse(text)


def test_an_image_of_a_registry_with_a_port_is_read():
    assert Image.parse(f"127.0.0.1:5000/a/b:1.0.0@{OTHER}") == Image("127.0.0.1:5000/a/b", "1.0.0", OTHER)


def test_only_loopback_is_spoken_to_without_tls():
    assert registry.is_loopback("127.0.0.1:5000/a")
    assert registry.is_loopback("localhost/a")
    assert not registry.is_loopback("ghcr.io/127.0.0.1:5000")
