"""A server with a certificate of a private authority, and clients that trust the one authority they are told of."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridkeeper_bus.connection import connect
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.embedded.nats_server import nats_server_program
from gridkeeper_runtime.ports import choose_port
from support.servers import private_folder

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """With two authorities, and a key and a certificate of the first one's for 127.0.0.1."""
    with private_folder() as made:
        for name in ("ours", "theirs"):
            openssl(
                made, f"req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -days 2 -subj /CN={name}"
            )
        openssl(made, "req -newkey rsa:2048 -nodes -keyout nats.key -out nats.csr -subj /CN=nats")
        (made / "names").write_text("subjectAltName=IP:127.0.0.1")
        signed = "x509 -req -in nats.csr -CA ours.crt -CAkey ours.key -CAcreateserial -out nats.crt -days 2"
        openssl(made, f"{signed} -extfile names")
        yield made


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    port = choose_port()
    (folder / "nats.conf").write_text(
        f"listen: 127.0.0.1:{port}\ntls {{ cert_file: {folder}/nats.crt, key_file: {folder}/nats.key }}\n"
    )
    with subprocess.Popen([nats_server_program(), "-c", folder / "nats.conf"], stderr=subprocess.DEVNULL) as server:
        yield port
        server.terminate()


def openssl(folder: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True, timeout=60)


async def test_the_authority_that_the_url_names_is_trusted(port: int, folder: Path) -> None:
    bus = await connect(f"tls://127.0.0.1:{port}?ca={folder}/ours.crt", "test")

    assert bus.ready
    await bus.close()


@pytest.mark.parametrize("url", ["tls://127.0.0.1:{port}?ca={folder}/theirs.crt", "tls://127.0.0.1:{port}"])
async def test_no_other_is(port: int, folder: Path, url: str) -> None:
    with pytest.raises(GridkeeperError, match="STORE_LOST"):
        await connect(url.format(port=port, folder=folder), "test", patience_s=2.0)


async def test_a_file_without_a_certificate_is_named(folder: Path) -> None:
    with pytest.raises(GridkeeperError, match=r"BAD_FILE.*names"):
        await connect(f"tls://127.0.0.1:1?ca={folder}/names", "test")
